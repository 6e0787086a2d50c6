//! Things that belong to levels, gathered in any order and then gone through level by level.

/// Things with levels, 0 and up. However many there are, they lie in two lists.
pub(super) struct Levels<T> {
    /// Each with the place of the one before it on its level.
    things: Vec<(T, usize)>,
    /// The place of the last thing of each level.
    last: Vec<usize>,
}

/// No place.
const NONE: usize = usize::MAX;

impl<T> Default for Levels<T> {
    fn default() -> Self {
        Self { things: Vec::new(), last: Vec::new() }
    }
}

impl<T: Copy> Levels<T> {
    /// Adds a thing. Says its place: how many were added before it.
    pub(super) fn push(&mut self, level: usize, thing: T) -> usize {
        if self.last.len() <= level {
            self.last.resize(level + 1, NONE);
        }
        let at = self.things.len();
        let before = self.last.get_mut(level).map_or(NONE, |last| core::mem::replace(last, at));
        self.things.push((thing, before));
        at
    }

    /// The thing that was added last on its level.
    pub(super) fn last(&self, level: usize) -> Option<T> {
        let at = self.last.get(level).copied()?;
        self.things.get(at).map(|(thing, _)| *thing)
    }

    pub(super) fn len(&self) -> usize {
        self.things.len()
    }

    /// How many levels there are.
    pub(super) fn count(&self) -> usize {
        self.last.len()
    }

    /// The things of a level with their places, the last first.
    pub(super) fn on(&self, level: usize) -> impl Iterator<Item = (usize, T)> {
        let mut next = self.last.get(level).copied().unwrap_or(NONE);
        core::iter::from_fn(move || {
            let at = next;
            let (thing, before) = *self.things.get(at)?;
            next = before;
            Some((at, thing))
        })
    }

    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.things.capacity() * size_of::<(T, usize)>() + self.last.capacity() * size_of::<usize>()
    }

    pub(super) fn clear(&mut self) {
        self.things.clear();
        self.last.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn things_come_back_by_level_the_last_first() {
        let mut levels = Levels::default();
        for round in 0..2 {
            let places =
                [(3, 'a'), (0, 'b'), (3, 'c'), (1, 'd'), (3, 'e')].map(|(l, thing)| levels.push(l, thing));
            assert_eq!((places, levels.len(), levels.count()), ([0, 1, 2, 3, 4], 5, 4), "round {round}");
            assert_eq!([3, 0, 2, 4].map(|level| levels.last(level)), [Some('e'), Some('b'), None, None]);
            let on = |level| levels.on(level).collect::<Vec<_>>();
            assert_eq!(on(3), [(4, 'e'), (2, 'c'), (0, 'a')]);
            assert_eq!((on(0), on(1), on(2), on(4)), (vec![(1, 'b')], vec![(3, 'd')], vec![], vec![]));
            levels.clear();
            assert_eq!((levels.len(), levels.count(), levels.on(3).count()), (0, 0, 0));
        }
    }
}
