//! `sleep`, on the reactor's own clock: precise, and without bashkit's cap of a minute.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bashkit::{Command, CommandContext, CommandStatus, Result};

use crate::executor::Reactor;

/// Longer than any call can last, and short enough for every clock.
const SLEEP_MAX: Duration = Duration::from_secs(1 << 30);

pub(crate) struct Sleep(pub(crate) Arc<Reactor>);

#[async_trait]
impl Command for Sleep {
    async fn execute(&self, context: CommandContext<'_>) -> Result<CommandStatus> {
        let operands: Vec<&str> =
            context.args.iter().map(String::as_str).filter(|argument| *argument != "--").collect();
        match duration(&operands) {
            Ok(duration) => {
                self.0.until(Instant::now() + duration).await;
                Ok(CommandStatus::success())
            }
            Err(text) => {
                context
                    .stderr
                    .write_all(format!("sleep: {text}\nTry 'sleep --help' for more information.\n").as_bytes())
                    .await?;
                Ok(CommandStatus::with_code(1))
            }
        }
    }
}

/// The sum of the operands, each a number with `s`, `m`, `h`, `d` or nothing behind it.
fn duration(operands: &[&str]) -> std::result::Result<Duration, String> {
    if operands.is_empty() {
        return Err("missing operand".to_owned());
    }
    let mut seconds = 0.0;
    for operand in operands {
        seconds += interval(operand).ok_or_else(|| format!("invalid time interval '{operand}'"))?;
    }
    Ok(Duration::try_from_secs_f64(seconds).map_or(SLEEP_MAX, |duration| duration.min(SLEEP_MAX)))
}

fn interval(operand: &str) -> Option<f64> {
    let (number, unit) = match operand.chars().last()? {
        's' => (operand.strip_suffix('s')?, 1.0),
        'm' => (operand.strip_suffix('m')?, 60.0),
        'h' => (operand.strip_suffix('h')?, 3_600.0),
        'd' => (operand.strip_suffix('d')?, 86_400.0),
        _ => (operand, 1.0),
    };
    let number: f64 = number.parse().ok()?;
    (number >= 0.0).then_some(number * unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adds_up_its_operands() {
        assert_eq!(duration(&["0.5", "1m"]), Ok(Duration::from_millis(60_500)));
    }

    #[test]
    fn takes_infinity_for_very_long() {
        assert_eq!(duration(&["infinity"]), Ok(SLEEP_MAX));
    }

    #[test]
    fn refuses_what_is_no_time() {
        assert!(duration(&["soon"]).is_err());
        assert!(duration(&["-1"]).is_err());
        assert!(duration(&[]).is_err());
    }
}
