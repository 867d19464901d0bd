//! Sources that are asked for their alarms, again and again.
//!
//! A source that fails is said, asked again after longer and longer, and never read as health: what fired, fires. An
//! alarm that a source no longer names, several times in a row, is gone (its resource may be), and is resolved as that.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;

use super::alarms::{Alarm, State};
use super::intake::{Intake, NotTaken, Trigger};
use crate::clock::Duration;

/// Alarms of one answer. Danger: a source that answers without end.
const ALARMS_MAX: usize = 20_000;
/// Complete answers in a row that do not name an alarm before it is taken for gone.
const ABSENT_MAX: u32 = 3;

/// Why a source could not be asked, in words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SourceError(pub String);

/// Something that knows alarms and is asked for them.
#[async_trait]
pub trait AlarmSource: Send + Sync {
    /// All alarms that it knows of now: those that fire, and those that do not. An answer that is not complete is an
    /// error.
    ///
    /// # Errors
    /// It could not be asked.
    async fn poll(&self) -> Result<Vec<Alarm>, SourceError>;

    /// The fingerprints of those that the last answer named and that neither fire nor do not: what was said of them
    /// before holds.
    fn undecided(&self) -> BTreeSet<String> {
        BTreeSet::new()
    }
}

/// How often a source is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PollSettings {
    pub every: Duration,
    /// Of each wait, so much is added at most, so that hosts do not ask at the same moment.
    pub jitter: Duration,
    /// For one answer.
    pub within: Duration,
    /// The longest wait after failures; each one doubles it.
    pub back_off_max: Duration,
}

impl Default for PollSettings {
    fn default() -> Self {
        Self {
            every: Duration::from_secs(60),
            jitter: Duration::from_secs(5),
            within: Duration::from_secs(30),
            back_off_max: Duration::from_secs(900),
        }
    }
}

impl PollSettings {
    /// The wait after so many failures in a row. `random` is any number.
    fn wait(&self, failures: u32, random: u64) -> Duration {
        let doubled = self.every.saturating_mul(1_u32 << failures.min(16));
        let wait = doubled.min(self.back_off_max.max(self.every));
        let jitter = u64::try_from(self.jitter.as_millis()).unwrap_or(u64::MAX).saturating_add(1);
        wait + Duration::from_millis(random.checked_rem(jitter).unwrap_or(0))
    }
}

/// Ask a source for ever.
pub async fn poll(source: Arc<dyn AlarmSource>, trigger: Arc<Trigger>, settings: PollSettings, intake: Intake) {
    let mut absent = BTreeMap::new();
    let mut failures = 0_u32;
    let mut random = crate::clock::now_ms() ^ u64::from(std::process::id());
    loop {
        let failure = once(source.as_ref(), &trigger, settings.within, &intake, &mut absent).await.err();
        failures = if failure.is_some() { failures.saturating_add(1) } else { 0 };
        intake.polled(&trigger, failure.as_deref()).await;
        // SplitMix64's step: numbers that differ, and are no secret.
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        tokio::time::sleep(settings.wait(failures, random >> 33)).await;
    }
}

async fn once(
    source: &dyn AlarmSource,
    trigger: &Arc<Trigger>,
    within: Duration,
    intake: &Intake,
    absent: &mut BTreeMap<String, u32>,
) -> Result<(), String> {
    let polled = tokio::time::timeout(within, source.poll()).await;
    let mut alarms = match polled {
        Err(_) => return Err(format!("no answer within {} ms", within.as_millis())),
        Ok(Err(error)) => return Err(error.to_string()),
        Ok(Ok(alarms)) => alarms,
    };
    if alarms.len() > ALARMS_MAX {
        return Err(format!("it answered with {} alarms, and {ALARMS_MAX} are taken", alarms.len()));
    }
    alarms = alarms.into_iter().map(Alarm::bounded).collect();
    let named = alarms.iter().map(|alarm| alarm.fingerprint.clone());
    let named: BTreeSet<String> = named.chain(source.undecided()).collect();
    let firing = intake.firing(trigger).await;
    absent.retain(|fingerprint, _| firing.iter().any(|alarm| alarm.fingerprint == *fingerprint));
    for alarm in firing {
        if named.contains(&alarm.fingerprint) {
            absent.remove(&alarm.fingerprint);
            continue;
        }
        let times = absent.entry(alarm.fingerprint.clone()).or_insert(0);
        *times += 1;
        if *times >= ABSENT_MAX {
            let detail = "its source names it no more".to_owned();
            alarms.push(Alarm { state: State::Resolved, detail, ..alarm });
        }
    }
    match intake.take(trigger, alarms, None).await {
        Ok(_) => Ok(()),
        Err(error @ (NotTaken::Busy | NotTaken::Full | NotTaken::Unstored)) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_the_limit_and_have_their_jitter() {
        let seconds = Duration::from_secs;
        let settings = PollSettings { jitter: seconds(5), ..PollSettings::default() };
        assert_eq!(
            [0, 1, 2, 9, u32::MAX].map(|failures| settings.wait(failures, 0)),
            [60, 120, 240, 900, 900].map(seconds)
        );
        assert_eq!(settings.wait(0, 5_000), seconds(65));
        assert_eq!(settings.wait(0, 5_001), seconds(60));
    }
}
