//! Seeded choices. The same seed makes the same choices on every machine, so a scenario that failed
//! can be run again. Not for secrets.

/// A stream of choices (SplitMix64).
#[derive(Clone, Debug)]
pub struct Dice {
    state: u64,
}

impl Dice {
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// A stream of its own for one purpose, so that a new choice elsewhere does not shift the others.
    #[must_use]
    pub fn fork(&self, purpose: &str) -> Self {
        let mut state = self.state ^ 0x9E37_79B9_7F4A_7C15;
        for byte in purpose.bytes() {
            state = (state ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3);
        }
        let mut dice = Self { state };
        dice.draw();
        dice
    }

    pub fn draw(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// `low..=high`.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.draw() % (high.saturating_sub(low) + 1)
    }

    /// True in `percent` of all cases.
    pub fn chance(&mut self, percent: u64) -> bool {
        self.draw() % 100 < percent
    }

    /// One of `choices`, which are never empty: they are tables in this module's neighbours.
    pub fn pick<T: Clone>(&mut self, choices: &[T]) -> T {
        let index = self.draw() % choices.len().max(1) as u64;
        choices[usize::try_from(index).unwrap_or(0)].clone()
    }

    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let other = usize::try_from(self.draw() % (last as u64 + 1)).unwrap_or(0);
            items.swap(last, other);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Dice;

    #[test]
    fn the_same_seed_makes_the_same_choices() {
        let first: Vec<u64> = (0..8)
            .map({
                let mut dice = Dice::new(7);
                move |_| dice.draw()
            })
            .collect();
        let mut again = Dice::new(7);
        assert!(first.iter().all(|value| *value == again.draw()));
    }

    #[test]
    fn forks_differ_by_purpose() {
        let dice = Dice::new(7);
        assert_ne!(dice.fork("ports").draw(), dice.fork("names").draw());
        assert_eq!(dice.fork("ports").draw(), dice.fork("ports").draw());
    }
}
