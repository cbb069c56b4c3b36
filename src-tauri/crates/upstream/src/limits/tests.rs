use proptest::prelude::*;

use super::*;

#[test]
fn the_usage_page_tells_windows_and_whether_there_is_room() {
    let page = |reached: bool, credits: bool| {
        format!(
            r#"{{"plan_type":"plus","rate_limit":{{"allowed":{},"limit_reached":{reached},
            "primary_window":{{"used_percent":13,"limit_window_seconds":18000,"reset_at":2000}},"secondary_window":null}},
            "credits":{{"has_credits":{credits},"unlimited":false,"balance":"0"}}}}"#,
            !reached
        )
    };
    let read =
        |reached, credits| Limits::default().with_usage(page(reached, credits).as_bytes(), 1000).unwrap();
    let (limits, room) = read(false, false);
    assert!(room);
    assert_eq!(
        limits.windows,
        [LimitWindow { name: None, minutes: 300, used_percent: 13.0, resets_at: Some(2000) }]
    );
    assert!(!read(true, false).1);
    assert!(read(true, true).1, "a limit that credits cover is no limit");
    assert_eq!(Limits::default().with_usage(b"<html>", 1000), None);
}

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    pairs
        .iter()
        .map(|(name, value)| (http::HeaderName::from_static(name), http::HeaderValue::from_static(value)))
        .collect()
}

fn window(name: Option<&str>, minutes: u64, used_percent: f64, resets_at: Option<i64>) -> LimitWindow {
    LimitWindow { name: name.map(str::to_owned), minutes, used_percent, resets_at }
}

#[test]
fn headers_give_windows_by_length_whatever_their_position() {
    // The last limit tells no number: its use is not known, which is not 0 %.
    let limits = Limits::default()
        .with_headers(
            &headers(&[
                ("x-codex-primary-used-percent", "12.5"),
                ("x-codex-primary-window-minutes", "10080"),
                ("x-codex-primary-reset-at", "2000"),
                ("x-codex-secondary-used-percent", "40"),
                ("x-codex-secondary-window-minutes", "300"),
                ("x-codex-bengalfox-primary-used-percent", "101"),
                ("x-codex-bengalfox-primary-window-minutes", "60"),
                ("x-codex-bengalfox-limit-name", "GPT Fox"),
                ("x-codex-other-secondary-window-minutes", "5"),
                ("x-codex-credits-has-credits", "1"),
                ("x-codex-credits-unlimited", "false"),
                ("x-codex-credits-balance", "3.20"),
                ("x-request-id", "r"),
            ]),
            1000,
        )
        .unwrap();
    assert_eq!(
        limits.windows,
        [
            window(None, 300, 40.0, None),
            window(None, 10080, 12.5, Some(2000)),
            window(Some("GPT Fox"), 60, 100.0, None),
        ]
    );
    assert_eq!(
        limits.credits,
        Some(Credits { has_credits: true, unlimited: false, balance: Some("3.20".into()) })
    );
    assert_eq!(limits.read_at, Some(1000));
}

#[test]
fn headers_without_limits_change_nothing() {
    assert_eq!(Limits::default().with_headers(&headers(&[("x-request-id", "r")]), 1), None);
}

#[test]
fn a_window_without_length_is_absent() {
    let limits = Limits::default()
        .with_headers(
            &headers(&[
                ("x-codex-primary-used-percent", "7"),
                ("x-codex-primary-window-minutes", "300"),
                ("x-codex-secondary-used-percent", "0"),
                ("x-codex-secondary-window-minutes", "0"),
            ]),
            1,
        )
        .unwrap();
    assert_eq!(limits.windows, [window(None, 300, 7.0, None)]);
    let (limits, _) =
        limits.with_event(r#"{"rate_limits":{"primary":{"used_percent":3},"secondary":null}}"#, 2).unwrap();
    assert_eq!(limits.windows, []);
}

#[test]
fn an_event_replaces_the_windows_of_its_limit() {
    let before = Limits::default()
        .with_headers(
            &headers(&[
                ("x-codex-primary-used-percent", "1"),
                ("x-codex-primary-window-minutes", "300"),
                ("x-fox-primary-used-percent", "2"),
                ("x-fox-primary-window-minutes", "60"),
                ("x-fox-limit-name", "Fox"),
            ]),
            400,
        )
        .unwrap();
    let json = r#"{"type":"codex.rate_limits","plan_type":"plus","rate_limits":{"allowed":true,"limit_reached":false,
        "primary":{"used_percent":13,"window_minutes":300,"reset_after_seconds":9000,"reset_at":9500},
        "secondary":{"used_percent":20.5,"window_minutes":10080,"reset_after_seconds":100}},
        "credits":{"has_credits":false,"unlimited":false,"balance":null}}"#;
    let (limits, reached) = before.with_event(json, 500).unwrap();
    assert_eq!(
        limits.windows,
        [
            window(None, 300, 13.0, Some(9500)),
            window(None, 10080, 20.5, Some(600)),
            window(Some("Fox"), 60, 2.0, None)
        ]
    );
    assert_eq!(limits.plan.as_deref(), Some("plus"));
    assert_eq!(reached, None);
    let named = r#"{"rate_limits":{"limit_reached":true,"primary":{"used_percent":9,"window_minutes":60}},
        "metered_limit_name":"fox","limit_name":"Fox"}"#;
    let (limits, reached) = limits.with_event(named, 501).unwrap();
    assert_eq!(limits.windows[2], window(Some("Fox"), 60, 9.0, None));
    assert_eq!(reached, None, "an extra limit is not the account's");
}

#[test]
fn a_limit_is_reached_only_without_credits() {
    let event = |credits: bool| {
        format!(
            r#"{{"plan_type":"plus","rate_limits":{{"limit_reached":true,
            "primary":{{"used_percent":100,"window_minutes":300,"reset_at":700}},
            "secondary":{{"used_percent":100,"window_minutes":10080,"reset_at":900}}}},
            "credits":{{"has_credits":{credits},"unlimited":false,"balance":5}}}}"#
        )
    };
    let (_, reached) = Limits::default().with_event(&event(false), 1).unwrap();
    assert_eq!(reached, Some(Reached { resets_at: Some(900), plan: Some("plus".into()) }));
    let (limits, reached) = Limits::default().with_event(&event(true), 1).unwrap();
    assert_eq!(reached, None);
    assert_eq!(limits.credits.unwrap().balance.as_deref(), Some("5"));
}

// === the page ===

fn page(rest: &str) -> String {
    format!(r#"{{"user_id":"u","account_id":"a","email":"e","plan_type":"plus",{rest}}}"#)
}

const FIVE_HOURS: &str =
    r#"{"used_percent":13,"limit_window_seconds":18000,"reset_after_seconds":9000,"reset_at":9500}"#;
const WEEK: &str =
    r#"{"used_percent":20,"limit_window_seconds":604800,"reset_after_seconds":100,"reset_at":700}"#;

/// Every shape of `upstream.md` §d.3, and the windows of P8.
#[test]
fn the_page_is_read_in_every_shape() {
    let own = |primary: &str, secondary: &str| {
        page(&format!(
            r#""rate_limit":{{"allowed":true,"limit_reached":false,"primary_window":{primary},"secondary_window":{secondary}}}"#
        ))
    };
    let (five, week) = (window(None, 300, 13.0, Some(9500)), window(None, 10080, 20.0, Some(700)));
    let cases = [
        ("both", own(FIVE_HOURS, WEEK), vec![five.clone(), week.clone()]),
        ("in the other order", own(WEEK, FIVE_HOURS), vec![five.clone(), week.clone()]),
        ("the week alone, in first place", own(WEEK, "null"), vec![week.clone()]),
        ("no second", own(FIVE_HOURS, "null"), vec![five.clone()]),
        (
            "a second of no length",
            own(
                FIVE_HOURS,
                r#"{"used_percent":0,"limit_window_seconds":0,"reset_after_seconds":0,"reset_at":0}"#,
            ),
            vec![five.clone()],
        ),
        (
            "the free plan's month",
            own(r#"{"used_percent":4.5,"limit_window_seconds":2592000,"reset_at":9500}"#, "null"),
            vec![window(None, 43200, 4.5, Some(9500))],
        ),
        (
            "101 %",
            own(r#"{"used_percent":101,"limit_window_seconds":18000}"#, "null"),
            vec![window(None, 300, 100.0, None)],
        ),
        (
            "a reset in seconds only",
            own(r#"{"used_percent":1,"limit_window_seconds":18000,"reset_after_seconds":60}"#, "null"),
            vec![window(None, 300, 1.0, Some(560))],
        ),
        ("no number", own(r#"{"used_percent":null,"limit_window_seconds":18000}"#, "null"), vec![]),
        ("neither", own("null", "null"), vec![]),
        (
            "more limits",
            page(&format!(
                r#""rate_limit":{{"primary_window":{FIVE_HOURS}}},"code_review_rate_limit":{{"primary_window":{WEEK}}},
                "additional_rate_limits":[{{"limit_name":"GPT Fox","metered_feature":"codex_fox","rate_limit":{{"primary_window":{WEEK}}}}},
                {{"limit_name":"empty","metered_feature":"x","rate_limit":null}}]"#
            )),
            vec![
                five.clone(),
                LimitWindow { name: Some("GPT Fox".into()), ..week.clone() },
                LimitWindow { name: Some("code review".into()), ..week.clone() },
            ],
        ),
    ];
    for (what, json, windows) in cases {
        let (limits, room) =
            Limits::default().with_usage(json.as_bytes(), 500).unwrap_or_else(|| panic!("{what}"));
        assert_eq!(limits.windows, windows, "{what}");
        assert!(room, "{what}");
        assert_eq!((limits.plan.as_deref(), limits.read_at), (Some("plus"), Some(500)), "{what}");
    }
    assert_eq!(Limits::default().with_usage(page(r#""rate_limit":null"#).as_bytes(), 1), None);
}

#[test]
fn the_page_tells_credits_spending_and_what_is_reached() {
    let read = |rest: &str| {
        let json = page(&format!(
            r#""rate_limit":{{"allowed":false,"limit_reached":true,"primary_window":{FIVE_HOURS}}},{rest}"#
        ));
        Limits::default().with_usage(json.as_bytes(), 500).unwrap()
    };
    let spending = |reached, limit: Option<&str>| Some(Spending { reached, limit: limit.map(str::to_owned) });
    let (limits, room) = read(
        r#""credits":{"has_credits":true,"unlimited":false,"balance":"12.50"},
        "spend_control":{"reached":false,"individual_limit":null},"rate_limit_reached_type":{"type":"rate_limit_reached"}"#,
    );
    assert!(room, "credits cover it");
    let credits = Credits { has_credits: true, unlimited: false, balance: Some("12.50".into()) };
    assert_eq!(limits.credits, Some(credits));
    assert_eq!((limits.spending, limits.reached), (spending(false, None), Some(ReachedLimit::Usage)));
    let (limits, room) = read(
        r#""credits":{"has_credits":true,"unlimited":true,"balance":null},
        "spend_control":{"reached":true,"individual_limit":25}"#,
    );
    assert!(!room, "nothing more may be spent");
    assert_eq!(limits.spending, spending(true, Some("25")));
    // What nobody has seen yet must not spoil the rest.
    let (limits, _) = read(
        r#""spend_control":{"reached":false,"individual_limit":{"amount":5}},"credits":{"balance":[1]}"#,
    );
    assert_eq!((limits.windows.len(), limits.spending), (1, spending(false, None)));
    for (word, reached) in [
        ("workspace_owner_credits_depleted", ReachedLimit::WorkspaceCredits),
        ("workspace_member_credits_depleted", ReachedLimit::WorkspaceCredits),
        ("workspace_member_usage_limit_reached", ReachedLimit::WorkspaceUsage),
        ("new_thing", ReachedLimit::Unknown("new_thing".into())),
    ] {
        let (limits, _) = read(&format!(r#""rate_limit_reached_type":{{"type":"{word}"}}"#));
        assert_eq!(limits.reached, Some(reached));
    }
    assert_eq!(read(r#""rate_limit_reached_type":null"#).0.reached, None);
}

#[test]
fn a_limit_that_the_page_no_longer_lists_is_gone() {
    let fox =
        r#"{"rate_limits":{"primary":{"used_percent":9,"window_minutes":60}},"metered_limit_name":"fox"}"#;
    let (limits, _) = Limits::default().with_event(fox, 500).unwrap();
    let plain = page(&format!(r#""rate_limit":{{"primary_window":{FIVE_HOURS}}}"#));
    let (limits, _) = limits.with_usage(plain.as_bytes(), 501).unwrap();
    assert_eq!(limits.windows, [window(None, 300, 13.0, Some(9500))]);
    let (limits, _) = limits.with_event(fox, 502).unwrap();
    assert_eq!(limits.windows.len(), 2, "but it may come back");
}

// === time ===

#[test]
fn a_window_whose_time_has_come_has_started_anew() {
    let limits = Limits {
        windows: vec![window(None, 300, 100.0, Some(1000)), window(None, 10080, 50.0, Some(2000))],
        ..Limits::default()
    };
    let at = |now| limits.windows_at(now).collect::<Vec<_>>();
    assert_eq!(at(999), limits.windows);
    assert_eq!(at(1000), [window(None, 300, 0.0, None), window(None, 10080, 50.0, Some(2000))]);
}

#[test]
fn a_clock_that_was_set_back_does_not_stop_the_news() {
    let event =
        |used| format!(r#"{{"rate_limits":{{"primary":{{"used_percent":{used},"window_minutes":300}}}}}}"#);
    let (limits, _) = Limits::default().with_event(&event(90), 100_000).unwrap();
    let (limits, _) = limits.with_event(&event(91), 1000).unwrap();
    let (limits, _) = limits.with_event(&event(3), 1001).unwrap();
    assert_eq!((limits.windows[0].used_percent, limits.read_at), (3.0, Some(1001)));
}

#[test]
fn of_two_readings_in_one_second_the_last_counts() {
    let event =
        |used| format!(r#"{{"rate_limits":{{"primary":{{"used_percent":{used},"window_minutes":300}}}}}}"#);
    let (limits, _) = Limits::default().with_event(&event(100), 1000).unwrap();
    let (limits, _) = limits.with_event(&event(3), 1000).unwrap();
    assert_eq!((limits.windows[0].used_percent, limits.read_at), (3.0, Some(1000)));
}

// === order ===

/// Readings of all three kinds, of a few limits, within few seconds: so that they meet.
fn readings() -> impl Strategy<Value = Readings> {
    let windows =
        (any::<bool>(), 0_u8..=110, 0_u8..3, any::<bool>()).prop_map(|(swap, used, reset, both)| {
            let five = format!(
                r#"{{"used_percent":{used},"window_minutes":300,"reset_at":{}}}"#,
                9000 + i64::from(reset)
            );
            let week = if both { r#"{"used_percent":7,"window_minutes":10080}"# } else { "null" };
            if swap { (week.to_owned(), five) } else { (five, week.to_owned()) }
        });
    let credits =
        prop_oneof![Just("null"), Just(r#"{"has_credits":true}"#), Just(r#"{"has_credits":false}"#)];
    let event = (windows.clone(), 0_i64..4, 0_u8..3, credits).prop_map(|((one, other), at, id, credits)| {
        let id = ["codex", "fox", "owl"][usize::from(id)];
        let json = format!(
            r#"{{"rate_limits":{{"primary":{one},"secondary":{other}}},"metered_limit_name":"{id}","credits":{credits},"plan_type":"p{at}"}}"#
        );
        wire::event(&json, at).unwrap().0
    });
    let page = (windows, 0_i64..4, any::<bool>()).prop_map(|((one, other), at, more)| {
        let seconds = |text: String| text.replace("window_minutes\":300", "limit_window_seconds\":18000");
        let more = if more { r#"[{"metered_feature":"owl","rate_limit":{"primary_window":{"used_percent":1,"limit_window_seconds":60}}}]"# } else { "[]" };
        let json = page(&format!(
            r#""rate_limit":{{"primary_window":{},"secondary_window":{}}},"additional_rate_limits":{more}"#,
            seconds(one),
            seconds(other)
        ));
        wire::page(json.as_bytes(), at).unwrap().0
    });
    let header = (0_u8..=110, 0_i64..4, any::<bool>()).prop_map(|(used, at, own)| {
        let (percent, minutes) = if own {
            ("x-codex-primary-used-percent", "x-codex-primary-window-minutes")
        } else {
            ("x-fox-primary-used-percent", "x-fox-primary-window-minutes")
        };
        let mut map = headers(&[(minutes, "300")]);
        map.insert(percent, used.to_string().parse().unwrap());
        wire::headers(&map, at).unwrap()
    });
    prop_oneof![event, page, header]
}

fn folded<'a>(readings: impl IntoIterator<Item = &'a Readings>) -> Readings {
    readings.into_iter().fold(Readings::default(), |known, new| known.merge(new))
}

proptest! {
    #[test]
    fn readings_give_the_same_in_any_order_and_grouping(
        (readings, shuffled) in proptest::collection::vec(readings(), 1..8)
            .prop_flat_map(|all| (Just(all.clone()), Just(all).prop_shuffle())),
        cut in 0_usize..8,
    ) {
        let all = folded(&readings);
        prop_assert_eq!(&folded(&shuffled), &all);
        let cut = cut.min(readings.len());
        prop_assert_eq!(&folded(&readings[..cut]).merge(&folded(&readings[cut..])), &all, "in two halves");
        prop_assert_eq!(&all.merge(&folded(&shuffled)), &all, "told twice");
    }

    #[test]
    fn the_newest_reading_of_a_limit_wins_and_lengths_name_its_windows(
        readings in proptest::collection::vec(readings(), 1..8),
    ) {
        let all = folded(&readings);
        let limits = Limits::from(all.clone());
        let newest = readings.iter().filter_map(|reading| reading.limits.get(OWN)).map(|limit| limit.at).max();
        let own: Vec<_> = limits.windows.iter().filter(|window| window.name.is_none()).cloned().collect();
        match all.limits.get(OWN) {
            Some(limit) => {
                prop_assert_eq!(Some(limit.at), newest);
                prop_assert_eq!(&limit.value.windows, &own);
            }
            // Only a page that is newer makes a limit go; it tells the own one itself.
            None => prop_assert_eq!(newest, None),
        }
        for window in &limits.windows {
            prop_assert!((0.0..=100.0).contains(&window.used_percent) && window.minutes > 0);
        }
        prop_assert_eq!(limits.read_at, readings.iter().filter_map(|reading| reading.read_at).max());
        let text = serde_json::to_string(&all).unwrap();
        prop_assert_eq!(serde_json::from_str::<Readings>(&text).unwrap(), all, "as it is kept on the disk");
    }
}

#[test]
fn a_window_is_called_by_its_length() {
    let length = |minutes| LimitWindow { name: None, minutes, used_percent: 0.0, resets_at: None }.length();
    assert_eq!([300, 10_080, 1_440, 90].map(length), ["5-hour", "weekly", "daily", "90-minute"]);
    assert_eq!(length(43_200), "30-day");
}
