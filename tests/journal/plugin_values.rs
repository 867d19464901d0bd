//! What plugins keep for themselves: whole changes, within a quota.

use pi_host::store::{Holder, PluginChange, PluginChanged, PluginQuota};

use super::Place;

const QUOTA: PluginQuota = PluginQuota { bytes_max: 100, keys_max: 3 };

on_both! {
    values_are_kept_by_plugin_and_in_order,
    a_change_beyond_the_quota_changes_nothing,
    a_number_grows_and_what_is_none_stays,
    every_character_of_a_key_and_every_byte_of_a_value_is_kept,
}

fn set(pairs: &[(&str, &[u8])]) -> PluginChange {
    PluginChange::Set(pairs.iter().map(|(key, value)| ((*key).to_owned(), value.to_vec())).collect())
}

async fn values_are_kept_by_plugin_and_in_order(place: Place) {
    let store = place.open().await;
    let lease = store.acquire(&Holder::this_process("run")).await.unwrap();
    // In the order of their bytes, whatever language a server speaks.
    let pairs: [(&str, &[u8]); 3] = [("b", b"2"), ("a", b"1"), ("Z", b"0")];
    store.change_plugin_values(&lease, "web", &set(&pairs), &QUOTA).await.unwrap();
    store.change_plugin_values(&lease, "other", &set(&[("a", b"x")]), &QUOTA).await.unwrap();
    assert_eq!(store.plugin_keys("web", 0, 10).await.unwrap(), ["Z", "a", "b"]);
    assert_eq!(store.plugin_keys("web", 1, 1).await.unwrap(), ["a"]);
    assert_eq!(store.plugin_value("web", "a").await.unwrap().unwrap(), b"1");
    let removed = PluginChange::Remove(vec!["a".into(), "nothing".into()]);
    store.change_plugin_values(&lease, "web", &removed, &QUOTA).await.unwrap();
    assert_eq!(store.plugin_value("web", "a").await.unwrap(), None);
    assert_eq!(store.plugin_value("other", "a").await.unwrap().unwrap(), b"x");
}

async fn a_change_beyond_the_quota_changes_nothing(place: Place) {
    let store = place.open().await;
    let lease = store.acquire(&Holder::this_process("run")).await.unwrap();
    store.change_plugin_values(&lease, "web", &set(&[("a", b"1")]), &QUOTA).await.unwrap();
    let large = set(&[("a", b"2"), ("b", &[0; 98])]);
    let changed = store.change_plugin_values(&lease, "web", &large, &QUOTA).await.unwrap();
    assert_eq!(changed, PluginChanged::TooManyBytes);
    let many = set(&[("a", b"3"), ("b", b""), ("c", b""), ("d", b"")]);
    assert_eq!(store.change_plugin_values(&lease, "web", &many, &QUOTA).await.unwrap(), PluginChanged::TooManyKeys);
    assert_eq!(store.plugin_value("web", "a").await.unwrap().unwrap(), b"1");
    assert_eq!(store.plugin_keys("web", 0, 10).await.unwrap(), ["a"]);
    // 100 bytes of keys and values are within it.
    let all = set(&[("a", b"1"), ("b", &[0; 97])]);
    assert_eq!(store.change_plugin_values(&lease, "web", &all, &QUOTA).await.unwrap(), PluginChanged::Done);
}

async fn a_number_grows_and_what_is_none_stays(place: Place) {
    let store = place.open().await;
    let lease = store.acquire(&Holder::this_process("run")).await.unwrap();
    let by = |key: &str, by| PluginChange::Increment { key: key.into(), by };
    assert_eq!(store.change_plugin_values(&lease, "web", &by("n", 5), &QUOTA).await.unwrap(), PluginChanged::Sum(5));
    assert_eq!(store.change_plugin_values(&lease, "web", &by("n", 2), &QUOTA).await.unwrap(), PluginChanged::Sum(7));
    assert_eq!(
        store.change_plugin_values(&lease, "web", &by("n", u64::MAX), &QUOTA).await.unwrap(),
        PluginChanged::NoNumber
    );
    store.change_plugin_values(&lease, "web", &set(&[("t", b"text")]), &QUOTA).await.unwrap();
    assert_eq!(store.change_plugin_values(&lease, "web", &by("t", 1), &QUOTA).await.unwrap(), PluginChanged::NoNumber);
    assert_eq!(store.plugin_value("web", "n").await.unwrap().unwrap(), b"7");
}

async fn every_character_of_a_key_and_every_byte_of_a_value_is_kept(place: Place) {
    let store = place.open().await;
    let lease = store.acquire(&Holder::this_process("run")).await.unwrap();
    let keys = ["a\0b", "\u{1}0", "€ ' \" \\ ; -- $1 ?"];
    let bytes: Vec<u8> = (0..=255).collect();
    let quota = PluginQuota { bytes_max: 10_000, keys_max: 10 };
    for key in keys {
        store.change_plugin_values(&lease, "we\0b", &set(&[(key, &bytes)]), &quota).await.unwrap();
        assert_eq!(store.plugin_value("we\0b", key).await.unwrap().unwrap(), bytes);
    }
    let mut kept = store.plugin_keys("we\0b", 0, 10).await.unwrap();
    kept.sort();
    let mut keys = keys;
    keys.sort_unstable();
    assert_eq!(kept, keys);
}
