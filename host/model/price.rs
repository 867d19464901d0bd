//! What a completion costs, in billionths of a US dollar.

use super::types::Usage;
use crate::config::{ModelProtocol, PriceConfig};

/// Billionths of a dollar for a million tokens of each kind.
#[derive(Clone, Copy, Debug)]
pub(super) struct Price {
    input: u64,
    output: u64,
    cache_read: u64,
    cache_write: u64,
}

impl Price {
    pub(super) fn of(config: &PriceConfig, protocol: ModelProtocol) -> Self {
        let write = match protocol {
            ModelProtocol::Openai => config.input,
            ModelProtocol::Anthropic | ModelProtocol::Bedrock => config.input * 1.25,
        };
        Self {
            input: nano(config.input),
            output: nano(config.output),
            cache_read: nano(config.cache_read.unwrap_or(config.input)),
            cache_write: nano(config.cache_write.unwrap_or(write)),
        }
    }

    /// Rounded up, so that a budget is never passed by fractions. None where no usage was told: it was not free.
    pub(super) fn cost(&self, usage: &Usage) -> Option<u64> {
        if *usage == Usage::default() {
            return None;
        }
        let each = [
            (usage.input, self.input),
            (usage.output, self.output),
            (usage.cache_read, self.cache_read),
            (usage.cache_write, self.cache_write),
        ];
        let sum = each.iter().fold(0_u128, |sum, (tokens, price)| {
            sum.saturating_add(u128::from(*tokens).saturating_mul(u128::from(*price)))
        });
        Some(u64::try_from(sum.div_ceil(1_000_000)).unwrap_or(u64::MAX))
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float saturates, and prices are checked"
)]
fn nano(dollars: f64) -> u64 {
    (dollars * 1e9).round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_are_exact_and_rounded_up() {
        let config = PriceConfig { input: 3.0, output: 15.0, cache_read: Some(0.3), cache_write: Some(3.75) };
        let price = Price::of(&config, ModelProtocol::Anthropic);
        let usage = Usage { input: 1_000, output: 500, cache_read: 100_000, cache_write: 2_000 };
        assert_eq!(price.cost(&usage), Some(3_000_000 + 7_500_000 + 30_000_000 + 7_500_000));
        let tiny = Price::of(
            &PriceConfig { input: 0.000_1, output: 0.0, cache_read: None, cache_write: None },
            ModelProtocol::Openai,
        );
        assert_eq!(tiny.cost(&Usage { input: 1, ..Usage::default() }), Some(1));
    }

    #[test]
    fn what_is_not_configured_is_never_too_little() {
        let price = Price::of(
            &PriceConfig { input: 4.0, output: 8.0, cache_read: None, cache_write: None },
            ModelProtocol::Anthropic,
        );
        assert_eq!(price.cost(&Usage { cache_read: 1_000_000, ..Usage::default() }), Some(4_000_000_000));
        assert_eq!(price.cost(&Usage { cache_write: 1_000_000, ..Usage::default() }), Some(5_000_000_000));
    }

    #[test]
    fn unknown_usage_has_no_cost_and_endless_usage_does_not_overflow() {
        let price = Price::of(
            &PriceConfig { input: 1e6, output: 1e6, cache_read: None, cache_write: None },
            ModelProtocol::Openai,
        );
        assert_eq!(price.cost(&Usage::default()), None);
        assert_eq!(price.cost(&Usage { input: u64::MAX, output: u64::MAX, ..Usage::default() }), Some(u64::MAX));
    }
}
