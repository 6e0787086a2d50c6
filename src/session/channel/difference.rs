//! Finding the difference: the questions of one side, the answers of the other, and what follows from them.

use crate::journal::number_set::ascending;
use crate::journal::set::Journal;
use crate::limits::{CELLS_PER_FRAME, FRAME_PAYLOAD_BYTES, IDS_PER_NODE, LISTED_IDS, WANTED_PER_ROUND};
use crate::merkle::prefix::Prefix;
use crate::reconcile::decoding::{Decoding, Step, cells_of};
use crate::reconcile::descent::{Answer, Descent, answer};
use crate::session::channel::plan::overlap;
use crate::session::channel::{Channel, ChannelEffect, Phase};
use crate::session::failure::PeerError;
use crate::session::message::{ChannelMessage, Leading, Plan};
use crate::symbols::cell::Cell;
use crate::symbols::mapping::ShortId;
use crate::symbols::row::MOST_CELLS;
use crate::time::Instant;

/// What an id outside of the view costs wherever it has to be left out, in steps.
const STEPS_PER_ID_OUTSIDE: u64 = 20;
/// Short ids in one frame.
const SHORT_IDS_PER_FRAME: usize = FRAME_PAYLOAD_BYTES / 8;

impl Channel {
    /// Both sides know how they differ: begins the first round as it was planned.
    ///
    /// # Errors
    /// When what the peer's plan brings along does not fit it.
    pub(super) fn begin(
        &mut self,
        journal: &Journal,
        plan: Plan,
        effects: &mut Vec<ChannelEffect>,
    ) -> Result<(), PeerError> {
        self.report.rounds = self.report.rounds.saturating_add(1);
        self.phase = match plan {
            Plan::Feed { opener_after, acceptor_after } => {
                let (after, theirs_after) =
                    if self.opener { (opener_after, acceptor_after) } else { (acceptor_after, opener_after) };
                let last = self.view.at().min(journal.head());
                self.give_range(after.saturating_add(1), last, Vec::new());
                (self.cursor_counts, self.all_counts) = (true, theirs_after == 0);
                Phase::Exchanging
            }
            Plan::Descend if self.opener => Phase::Descending(Descent::new()),
            Plan::Symbols { difference, coming, cells } if self.opener => {
                let coming = usize::try_from(coming).unwrap_or(MOST_CELLS).min(MOST_CELLS);
                self.phase = Phase::Decoding(Box::new(Decoding::new(difference, coming)));
                if coming > 0 {
                    let last = cells.len() >= coming;
                    return self.symbols((Prefix::ALL, 0), cells, last, journal, effects);
                }
                self.ask(journal, effects);
                return Ok(());
            }
            Plan::Symbols { coming, cells, .. } => {
                let (from, end) = (cells.len(), usize::try_from(coming).unwrap_or(MOST_CELLS));
                say_symbols(Prefix::ALL, from as u64, &journal.cells(from, end, &[]), effects);
                Phase::Answering(Vec::new())
            }
            // There is no room to list anything, or too much to list: it asks instead, which the acceptor puts up with.
            Plan::OpenerLists if self.opener && (!self.roomy || self.is_long(journal)) => {
                Phase::Descending(Descent::new())
            }
            Plan::OpenerLists => self.list_or_listen(self.opener, journal, effects),
            Plan::AcceptorLists => self.list_or_listen(!self.opener, journal, effects),
            Plan::Descend => Phase::Answering(Vec::new()),
        };
        self.ask(journal, effects);
        Ok(())
    }

    /// Whether there is more here than may be listed.
    fn is_long(&self, journal: &Journal) -> bool {
        journal.root().count > LISTED_IDS
    }

    fn list_or_listen(&mut self, list: bool, journal: &Journal, effects: &mut Vec<ChannelEffect>) -> Phase {
        if list {
            self.say_list(journal, effects);
            Phase::Answering(Vec::new())
        } else {
            Phase::Listening(Vec::new())
        }
    }

    /// The next question; or, when all is known, what this side wants and what it will send.
    pub(super) fn ask(&mut self, journal: &Journal, effects: &mut Vec<ChannelEffect>) {
        match &mut self.phase {
            Phase::Descending(descent) => {
                if let Some(prefixes) = descent.next_ask() {
                    return effects.push(ChannelEffect::Say(ChannelMessage::Ask { prefixes }));
                }
                let Phase::Descending(descent) = self.exchange() else { return };
                self.descended(descent, journal, effects);
            }
            Phase::Decoding(decoding) => {
                match decoding.next() {
                    Step::Wait => return,
                    Step::Ask { prefix, from, count } => {
                        let (from, count) = (from as u64, count as u64);
                        let more = ChannelMessage::More { prefix, from, count };
                        return effects.push(ChannelEffect::Say(more));
                    }
                    Step::Done => {}
                }
                let Phase::Decoding(mut decoding) = self.exchange() else { return };
                self.decoded(&decoding.take_found(), journal, effects);
                self.left = Some(decoding).filter(|decoding| decoding.has_more());
            }
            Phase::Opening | Phase::Listening(_) | Phase::Answering(_) | Phase::Exchanging | Phase::Live => {}
        }
    }

    /// All is known that this round finds: entries travel. The phase until now.
    fn exchange(&mut self) -> Phase {
        std::mem::replace(&mut self.phase, Phase::Exchanging)
    }

    /// Wants what is not here, sends what the peer lacks. By whole ids: others may begin alike.
    fn descended(&mut self, descent: Descent, journal: &Journal, effects: &mut Vec<ChannelEffect>) {
        let (need, give) = descent.into_difference();
        let mut want = Vec::with_capacity(need.len());
        for id in need {
            match journal.number_of(&id) {
                Some(number) => self.came_meanwhile(number),
                None => want.push(ShortId::of(&id)),
            }
        }
        self.say_want(&want, effects);
        let give = give.iter().filter_map(|id| journal.number_of(id)).collect();
        self.give(give);
    }

    /// The peer lacks these: they are sent, if it takes anything.
    fn give(&mut self, numbers: Vec<u64>) {
        let numbers = ascending(numbers);
        if self.taken {
            return self.outgoing.send_numbers(numbers);
        }
        numbers.iter().for_each(|number| self.view.refuse(*number));
        self.outgoing.send_numbers(Vec::new());
    }

    /// The peer lacks all from one number to another but these, ascending.
    fn give_range(&mut self, from: u64, to: u64, but: Vec<u64>) {
        if self.taken {
            return self.outgoing.send_range(from, to, but);
        }
        let lacking = (from..=to).filter(|number| but.binary_search(number).is_err());
        lacking.for_each(|number| self.view.refuse(number));
        self.outgoing.send_numbers(Vec::new());
    }

    /// The same for short ids that one side has and the other lacks: whose they are, the own journal says.
    fn decoded(&mut self, found: &[ShortId], journal: &Journal, effects: &mut Vec<ChannelEffect>) {
        let (mut want, mut give) = (Vec::new(), Vec::new());
        for short in found {
            let here = journal.map().find_by_leading_bytes(&short.0.to_be_bytes());
            if here.is_empty() {
                want.push(*short);
            }
            for number in here.iter().filter_map(|id| journal.number_of(id)) {
                if self.view.contains(number) {
                    give.push(number);
                } else {
                    self.came_meanwhile(number);
                }
            }
        }
        self.say_want(&want, effects);
        self.give(give);
    }

    /// An entry that the peer has is here, and was not at the opening: it has come by another way.
    fn came_meanwhile(&mut self, number: u64) {
        self.view.find(number);
        self.round.fruitful = true;
    }

    fn say_want(&self, want: &[ShortId], effects: &mut Vec<ChannelEffect>) {
        let width = Leading::width_among(self.theirs);
        let mut chunks = want.chunks(FRAME_PAYLOAD_BYTES / width).peekable();
        loop {
            let mut ids = Leading::new(width);
            chunks.next().unwrap_or_default().iter().for_each(|id| ids.push(*id));
            let last = chunks.peek().is_none();
            effects.push(ChannelEffect::Say(ChannelMessage::Want { ids, last }));
            if last {
                return;
            }
        }
    }

    /// Cells that were asked for, or come with the answer to the opening.
    pub(super) fn symbols(
        &mut self,
        place: (Prefix, u64),
        cells: Vec<Cell>,
        last: bool,
        journal: &Journal,
        effects: &mut Vec<ChannelEffect>,
    ) -> Result<(), PeerError> {
        let Phase::Decoding(decoding) = &mut self.phase else { return Err(self.unexpected("Symbols")) };
        let without = self.view.excluded(journal);
        decoding.tell(place, cells, last, |prefix, from, to| row(journal, prefix, from, to, without))?;
        self.ask(journal, effects);
        Ok(())
    }

    /// The peer asks for cells.
    pub(super) fn more(
        &mut self,
        prefix: &Prefix,
        (from, count): (u64, u64),
        journal: &Journal,
        now: Instant,
        effects: &mut Vec<ChannelEffect>,
    ) -> Result<(), PeerError> {
        self.expect_questions(journal, now);
        let Phase::Answering(_) = &self.phase else { return Err(self.unexpected("More")) };
        let place = |cell: u64| usize::try_from(cell).ok().filter(|cell| *cell <= MOST_CELLS);
        let (Some(first), Some(end)) = (place(from), place(from.saturating_add(count))) else {
            return Err(PeerError::Breach("cells are asked for that no row has"));
        };
        let without = self.view.excluded(journal);
        let ids = if prefix.bits() == 0 { 0 } else { journal.map().node(prefix, &[]).count };
        self.round.budget.charge_cells(count, ids, journal.head())?;
        // All that is outside is taken out of the first cells of the kept row, which are copied.
        let outside = prefix.select(without).len() as u64 * STEPS_PER_ID_OUTSIDE;
        let copied = if prefix.bits() == 0 { end as u64 } else { count };
        self.steps.charge(ids.saturating_add(copied).saturating_add(outside))?;
        let cells = row(journal, prefix, first, end, without);
        say_symbols(*prefix, from, &cells, effects);
        Ok(())
    }

    /// A question may begin the next round, or come in the place of a list.
    fn expect_questions(&mut self, journal: &Journal, now: Instant) {
        self.answer_again(journal, now);
        if matches!(&self.phase, Phase::Listening(ids) if !self.opener && ids.is_empty()) {
            self.phase = Phase::Answering(Vec::new());
        }
    }

    /// The peer asks what is below some prefixes.
    pub(super) fn asked(
        &mut self,
        prefixes: &[Prefix],
        journal: &Journal,
        now: Instant,
        effects: &mut Vec<ChannelEffect>,
    ) -> Result<(), PeerError> {
        self.expect_questions(journal, now);
        let Phase::Answering(_) = &self.phase else { return Err(self.unexpected("Ask")) };
        self.round.budget.charge_asked(prefixes.len(), journal.head())?;
        if overlap(prefixes) {
            return Err(PeerError::Breach("a question about one subtree twice"));
        }
        let without = self.view.excluded(journal);
        for prefix in prefixes {
            // The paths of ids that are outside are hashed anew.
            let outside = prefix.select(without).len() as u64 * STEPS_PER_ID_OUTSIDE;
            self.steps.charge(outside.saturating_add(IDS_PER_NODE))?;
        }
        let answers = prefixes.iter().map(|prefix| answer(journal.map(), without, prefix)).collect();
        effects.push(ChannelEffect::Say(ChannelMessage::Tell { answers }));
        Ok(())
    }

    /// The peer's answer.
    pub(super) fn told(
        &mut self,
        answers: Vec<Answer>,
        journal: &Journal,
        effects: &mut Vec<ChannelEffect>,
    ) -> Result<(), PeerError> {
        let Phase::Descending(descent) = &mut self.phase else { return Err(self.unexpected("Tell")) };
        descent.tell(answers, journal.map(), self.view.excluded(journal))?;
        self.ask(journal, effects);
        Ok(())
    }

    fn say_list(&mut self, journal: &Journal, effects: &mut Vec<ChannelEffect>) {
        // Not what came since the opening, of which the peer does not know.
        let ids = journal.map().ids_under(&Prefix::ALL, self.view.excluded(journal), usize::MAX);
        let ids: Vec<_> = ids.iter().map(ShortId::of).collect();
        let mut chunks = ids.chunks(SHORT_IDS_PER_FRAME).peekable();
        loop {
            // Of no entries there is one list, the last.
            let ids = chunks.next().unwrap_or_default().to_vec();
            let last = chunks.peek().is_none();
            effects.push(ChannelEffect::Say(ChannelMessage::List { ids, last }));
            if last {
                return;
            }
        }
    }

    /// The peer has listed all that it has: wants what is not here, sends all that it does not have.
    pub(super) fn listed(
        &mut self,
        ids: Vec<ShortId>,
        last: bool,
        journal: &Journal,
        effects: &mut Vec<ChannelEffect>,
    ) -> Result<(), PeerError> {
        let Phase::Listening(list) = &mut self.phase else { return Err(self.unexpected("List")) };
        list.extend(ids);
        if list.len() as u64 > self.theirs.min(LISTED_IDS) {
            return Err(PeerError::Breach("more is listed than there is"));
        }
        if !last {
            return Ok(());
        }
        let Phase::Listening(list) = self.exchange() else { return Ok(()) };
        let (mut want, mut known) = (Vec::new(), Vec::new());
        for short in list {
            let here = journal.map().find_by_leading_bytes(&short.0.to_be_bytes());
            if here.is_empty() {
                want.push(short);
            }
            for number in here.iter().filter_map(|id| journal.number_of(id)) {
                if number > self.view.at() {
                    self.came_meanwhile(number);
                }
                known.push(number);
            }
        }
        self.say_want(&want, effects);
        self.give_range(1, self.view.at(), ascending(known));
        Ok(())
    }

    /// The peer wants entries.
    pub(super) fn wanted(
        &mut self,
        ids: &Leading,
        last: bool,
        journal: &Journal,
        now: Instant,
    ) -> Result<(), PeerError> {
        self.answer_again(journal, now);
        let Phase::Answering(numbers) = &mut self.phase else { return Err(self.unexpected("Want")) };
        for leading in ids.iter() {
            let here = journal.map().find_by_leading_bytes(leading);
            self.steps.charge(here.len() as u64 + 1)?;
            numbers.extend(here.iter().filter_map(|id| journal.number_of(id)));
            if numbers.len() > WANTED_PER_ROUND {
                return Err(PeerError::Breach("more is wanted than one round may hold"));
            }
        }
        if last {
            let mut numbers = std::mem::take(numbers);
            numbers.retain(|number| self.view.contains(*number));
            self.phase = Phase::Exchanging;
            self.give(numbers);
        }
        Ok(())
    }
}

/// Cells of the row of a journal's ids below a prefix, less some.
fn row(
    journal: &Journal,
    prefix: &Prefix,
    from: usize,
    to: usize,
    without: &[crate::ids::EntryId],
) -> Vec<Cell> {
    if prefix.bits() == 0 {
        return journal.cells(from, to, without);
    }
    cells_of(&journal.map().ids_under(prefix, without, usize::MAX), from, to)
}

fn say_symbols(prefix: Prefix, from: u64, cells: &[Cell], effects: &mut Vec<ChannelEffect>) {
    let mut from = from;
    let mut chunks = cells.chunks(CELLS_PER_FRAME).peekable();
    while let Some(cells) = chunks.next() {
        let (cells, last) = (cells.to_vec(), chunks.peek().is_none());
        let count = cells.len() as u64;
        effects.push(ChannelEffect::Say(ChannelMessage::Symbols { prefix, from, cells, last }));
        from = from.saturating_add(count);
    }
}
