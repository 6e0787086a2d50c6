//! Finding the difference by walking down both Merkle maps, 16 ways at a time, wherever hashes differ.
//!
//! It can't be fooled, only slowed: what it finds is what the peer claims to have, and whether the
//! peer really has it shows when the entries are asked for. Work and memory are bounded by what is
//! asked at once and by [`IDS_PER_ROUND`]; a longer difference takes another round.

use crate::ids::EntryId;
use crate::limits::{IDS_PER_NODE, IDS_PER_ROUND, PREFIXES_PER_ASK};
use crate::merkle::map::MerkleMap;
use crate::merkle::prefix::Prefix;
use crate::merkle::subtree::Node;

/// What the answering side says of one subtree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The 16 subtrees below it.
    Children(Box<[Node; 16]>),
    /// All its ids, ascending: it has few.
    Ids(Vec<EntryId>),
}

/// The answering side: a pure function of its map.
pub(crate) fn answer(map: &MerkleMap, without: &[EntryId], prefix: &Prefix) -> Answer {
    let few = map.node(prefix, without).count <= IDS_PER_NODE;
    match map.children(prefix, without) {
        Some(children) if !few => Answer::Children(Box::new(children)),
        Some(_) | None => {
            let limit = usize::try_from(IDS_PER_NODE).unwrap_or(usize::MAX);
            Answer::Ids(map.ids_under(prefix, without, limit))
        }
    }
}

/// An answer that no honest peer gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the answer of a descent contradicts itself: {0}")]
pub(crate) struct FalseAnswer(pub(crate) &'static str);

/// A subtree to be looked into: the peer's differs.
#[derive(Debug)]
struct Open {
    prefix: Prefix,
    /// How many entries the peer claims below it, if it has said so.
    claimed: Option<u64>,
}

/// The asking side of one descent.
#[derive(Debug)]
pub(crate) struct Descent {
    open: Vec<Open>,
    asked: Vec<Open>,
    /// Ids that the peer has and this side lacks.
    need: Vec<EntryId>,
    /// Ids that this side has and the peer lacks.
    give: Vec<EntryId>,
}

impl Descent {
    /// A descent from the top.
    pub(crate) fn new() -> Self {
        let open = vec![Open { prefix: Prefix::ALL, claimed: None }];
        Self { open, asked: Vec::new(), need: Vec::new(), give: Vec::new() }
    }

    /// The next question, nothing when the descent is over. The former one has been answered.
    pub(crate) fn next_ask(&mut self) -> Option<Vec<Prefix>> {
        if self.need.len().saturating_add(self.give.len()) >= IDS_PER_ROUND {
            self.open.clear();
        }
        // From the end: depth first, which bounds what is open.
        let keep = self.open.len().saturating_sub(PREFIXES_PER_ASK);
        self.asked = self.open.split_off(keep);
        (!self.asked.is_empty()).then(|| self.asked.iter().map(|open| open.prefix).collect())
    }

    /// The peer's answers, one for each prefix asked.
    pub(crate) fn tell(
        &mut self,
        answers: Vec<Answer>,
        map: &MerkleMap,
        without: &[EntryId],
    ) -> Result<(), FalseAnswer> {
        let asked = std::mem::take(&mut self.asked);
        if asked.is_empty() || answers.len() != asked.len() {
            return Err(FalseAnswer("not one answer for each prefix asked"));
        }
        for (open, answer) in asked.iter().zip(answers) {
            match answer {
                Answer::Children(children) => self.compare(open, &children, map, without)?,
                Answer::Ids(ids) => self.list(open, &ids, map, without)?,
            }
        }
        Ok(())
    }

    fn compare(
        &mut self,
        open: &Open,
        theirs: &[Node; 16],
        map: &MerkleMap,
        without: &[EntryId],
    ) -> Result<(), FalseAnswer> {
        let total = theirs.iter().try_fold(0u64, |sum, node| sum.checked_add(node.count));
        let total = total.ok_or(FalseAnswer("more entries than can be counted"))?;
        if open.claimed.is_some_and(|claimed| claimed != total) || total <= IDS_PER_NODE {
            return Err(FalseAnswer("children do not add up"));
        }
        let mine = map.children(&open.prefix, without).ok_or(FalseAnswer("children of a single id"))?;
        for ((theirs, mine), nibble) in theirs.iter().zip(&mine).zip(0u8..) {
            let Some(prefix) = open.prefix.child(nibble) else { continue };
            if theirs == mine {
                continue;
            }
            if theirs.count == 0 {
                self.give.append(&mut map.ids_under(&prefix, without, usize::MAX));
            } else {
                self.open.push(Open { prefix, claimed: Some(theirs.count) });
            }
        }
        Ok(())
    }

    fn list(
        &mut self,
        open: &Open,
        theirs: &[EntryId],
        map: &MerkleMap,
        without: &[EntryId],
    ) -> Result<(), FalseAnswer> {
        if open.claimed.is_some_and(|claimed| claimed != theirs.len() as u64) {
            return Err(FalseAnswer("ids do not add up"));
        }
        if !theirs.is_sorted_by(|a, b| a < b) || !theirs.iter().all(|id| open.prefix.contains(id)) {
            return Err(FalseAnswer("ids out of order or of another subtree"));
        }
        let mine = map.ids_under(&open.prefix, without, usize::MAX);
        let missing = theirs.iter().filter(|id| mine.binary_search(id).is_err());
        self.need.extend(missing);
        self.give.extend(mine.into_iter().filter(|id| theirs.binary_search(id).is_err()));
        Ok(())
    }

    /// What was found: ids that the peer has and this side lacks, and the other way round.
    pub(crate) fn into_difference(self) -> (Vec<EntryId>, Vec<EntryId>) {
        (self.need, self.give)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn difference(
        a: &MerkleMap,
        b: &MerkleMap,
        without_a: &[EntryId],
        without_b: &[EntryId],
    ) -> (BTreeSet<EntryId>, BTreeSet<EntryId>) {
        let mut descent = Descent::new();
        let mut rounds = 0;
        while let Some(prefixes) = descent.next_ask() {
            let answers = prefixes.iter().map(|prefix| answer(b, without_b, prefix)).collect();
            descent.tell(answers, a, without_a).unwrap();
            rounds += 1;
            assert!(rounds < 10_000, "endless descent");
        }
        let (need, give) = descent.into_difference();
        assert_eq!(need.iter().collect::<BTreeSet<_>>().len(), need.len(), "an id twice");
        (need.into_iter().collect(), give.into_iter().collect())
    }

    /// Ids that share leading bits more often than chance would have it.
    fn id() -> impl Strategy<Value = EntryId> {
        (any::<[u8; 32]>(), 0usize..=31).prop_map(|(mut bytes, shared)| {
            bytes[..shared].fill(0x77);
            EntryId::from_bytes(bytes)
        })
    }

    proptest! {
        #[test]
        fn d4_a_descent_finds_exactly_the_difference_of_the_views(
            ids in prop::collection::vec((id(), 0u8..6), 0..400),
        ) {
            let pick = |kinds: &[u8]| {
                let ids = ids.iter().filter(|(_, kind)| kinds.contains(kind)).map(|(id, _)| *id);
                ids.collect::<BTreeSet<_>>()
            };
            // 0 only a, 1 only b, 2 and 3 both, 4 in a but outside its view, 5 likewise in b.
            let in_a = pick(&[0, 2, 3, 4]);
            let in_b = pick(&[1, 2, 3, 5]);
            let out_a: BTreeSet<_> = pick(&[4]).difference(&pick(&[0, 2, 3])).copied().collect();
            let out_b: BTreeSet<_> = pick(&[5]).difference(&pick(&[1, 2, 3])).copied().collect();
            let map = |ids: &BTreeSet<EntryId>| MerkleMap::from_ids(ids.iter().copied().collect());
            let list = |ids: &BTreeSet<EntryId>| ids.iter().copied().collect::<Vec<_>>();
            let (need, give) = difference(&map(&in_a), &map(&in_b), &list(&out_a), &list(&out_b));
            let view_a: BTreeSet<_> = in_a.difference(&out_a).copied().collect();
            let view_b: BTreeSet<_> = in_b.difference(&out_b).copied().collect();
            prop_assert_eq!(need, view_b.difference(&view_a).copied().collect::<BTreeSet<_>>());
            prop_assert_eq!(give, view_a.difference(&view_b).copied().collect::<BTreeSet<_>>());
        }
    }

    #[test]
    fn d8_false_answers_are_noticed() {
        let ids: Vec<_> = (0..=255u8).map(|byte| EntryId::from_bytes([byte; 32])).collect();
        let map = MerkleMap::from_ids(ids.clone());
        let ask = || {
            let mut descent = Descent::new();
            assert_eq!(descent.next_ask(), Some(vec![Prefix::ALL]));
            descent
        };
        let top = answer(&map, &[], &Prefix::ALL);
        let Answer::Children(children) = &top else { panic!("256 ids are not listed") };
        let mine = MerkleMap::new();
        assert!(ask().tell(vec![], &mine, &[]).is_err(), "no answer");
        assert!(ask().tell(vec![top.clone(), top.clone()], &mine, &[]).is_err(), "two answers");
        assert!(Descent::new().tell(vec![top.clone()], &mine, &[]).is_err(), "not asked");

        let mut endless = children.clone();
        endless[3].count = u64::MAX;
        assert!(ask().tell(vec![Answer::Children(endless)], &mine, &[]).is_err(), "overflow");
        let unsorted = vec![ids[1], ids[0]];
        assert!(ask().tell(vec![Answer::Ids(unsorted)], &mine, &[]).is_err());

        let mut descent = ask();
        descent.tell(vec![top.clone()], &mine, &[]).unwrap();
        let asked = descent.next_ask().unwrap();
        let answers = asked.iter().map(|_| top.clone()).collect();
        assert!(descent.tell(answers, &mine, &[]).is_err(), "more than was claimed");

        let mut descent = ask();
        descent.tell(vec![top.clone()], &mine, &[]).unwrap();
        let asked = descent.next_ask().unwrap();
        let answers = asked.iter().map(|_| Answer::Ids(ids[..16].to_vec())).collect();
        assert!(descent.tell(answers, &mine, &[]).is_err(), "ids of another subtree");
    }
}
