use dragoman_upstream::{AccountKind, Limits, Rest};

use super::*;

const NOW: i64 = 1_795_000_000;

fn account(name: &str) -> AccountView {
    AccountView {
        label: Some(name.to_owned()),
        added_at: Some(NOW - 1000),
        ..AccountView::new(AccountKind::Own, name)
    }
}

fn view(accounts: &[AccountView]) -> AccountsView {
    AccountsView { in_use: accounts[0].id.clone(), accounts: accounts.to_vec() }
}

fn used(percent: f64, resets_at: i64) -> Limits {
    let window = LimitWindow { name: None, minutes: 300, used_percent: percent, resets_at: Some(resets_at) };
    Limits { windows: vec![window], read_at: Some(NOW), ..Limits::default() }
}

/// What is told, in a word each, when the account goes through these states.
fn told(states: &[(i64, AccountView)]) -> Vec<&'static str> {
    let mut watcher = Watcher::new(&view(&[states[0].1.clone()]), states[0].0);
    let notices =
        states.iter().flat_map(|(now, account)| watcher.look(&view(std::slice::from_ref(account)), *now));
    let word = |notice: Notice| match notice {
        Notice::SignedIn { .. } => "in",
        Notice::SignInAgain { .. } => "again",
        Notice::LimitNear { .. } => "near",
        Notice::LimitReached { .. } => "reached",
        Notice::LimitOver { .. } => "over",
    };
    notices.map(word).collect()
}

#[test]
fn a_login_that_ends_is_told_once_and_the_next_one_too() {
    let state = |state| AccountView { state, ..account("me") };
    let ready = state(AccountState::Ready);
    let again = state(AccountState::SignIn("Run `dragoman login`.".into()));
    let other_words = state(AccountState::SignIn("Other words.".into()));
    let locked = state(AccountState::Locked("The keyring is locked.".into()));
    let none = state(AccountState::None);
    let go = |states: &[&AccountView]| {
        told(&states.iter().map(|state| (NOW, (*state).clone())).collect::<Vec<_>>())
    };
    assert_eq!(go(&[&ready, &again, &again, &other_words, &locked, &again, &ready, &ready]), ["again", "in"]);
    assert_eq!(go(&[&ready, &locked, &ready, &locked, &again]), ["again"]);
    assert_eq!(go(&[&again, &again]), [""; 0], "what was so at the start is no event");
    assert_eq!(go(&[&none, &none, &ready]), ["in"]);
    assert_eq!(go(&[&ready, &none, &ready]), ["in"], "whoever signs out knows");
}

#[test]
fn the_notice_says_who_and_what_to_do() {
    let mut watcher = Watcher::new(&view(&[account("me@example.com")]), NOW);
    let message = "Run `dragoman login`.".to_owned();
    let state = AccountState::SignIn(message.clone());
    let ended = AccountView { name: Some("work".into()), state, ..account("me@example.com") };
    let named = Named { id: ended.id.clone(), name: "work".into() };
    let expected = Notice::SignInAgain { account: named, message };
    let heard = watcher.look(&view(std::slice::from_ref(&ended)), NOW);
    assert_eq!(heard, std::slice::from_ref(&expected));
    let told = serde_json::to_value(&expected).unwrap();
    assert_eq!(told["notice"], "sign_in_again");
    assert_eq!(told["account"], serde_json::json!({"id": ended.id.as_str(), "name": "work"}));
}

#[test]
fn an_account_that_is_added_is_told_and_one_that_was_read_late_is_not() {
    let (old, new) = (account("old"), AccountView { added_at: Some(NOW + 5), ..account("new") });
    let late = AccountView { added_at: Some(NOW - 5), ..account("late") };
    let found = AccountView { added_at: None, ..account("found") };
    let mut watcher = Watcher::new(&view(std::slice::from_ref(&old)), NOW);
    let all = view(&[old.clone(), new.clone(), late, found]);
    assert_eq!(watcher.look(&all, NOW + 6), [Notice::SignedIn { account: Named::of(&new, &all.accounts) }]);
    assert_eq!(watcher.look(&all, NOW + 7), []);
    // Removed and added again, it is new again.
    assert_eq!(watcher.look(&view(std::slice::from_ref(&old)), NOW + 8), []);
    assert_eq!(watcher.look(&all, NOW + 9).len(), 1);
}

#[test]
fn a_window_comes_near_its_limit_once() {
    let at = |now: i64, percent: f64, resets: i64| {
        (NOW + now, AccountView { limits: used(percent, NOW + resets), ..account("me") })
    };
    // Up and down around the mark, and the end of the window told a little differently each time.
    let flickers = [(0, 79.0, 5000), (1, 80.0, 5000), (2, 79.9, 5001), (3, 81.0, 4999), (4, 99.0, 5000)];
    assert_eq!(told(&flickers.map(|(now, percent, resets)| at(now, percent, resets))), ["near"]);
    // The next window, with a reading before it fills up and without one.
    for between in [at(5001, 1.0, 23_000), at(5002, 85.0, 23_000)] {
        assert_eq!(
            told(&[at(0, 50.0, 5000), at(1, 85.0, 5000), between, at(9000, 90.0, 23_000)]),
            ["near", "near"]
        );
    }
    assert_eq!(told(&[at(0, 90.0, 5000), at(1, 95.0, 5000)]), [""; 0], "near already at the start");
    // Another model's limit is not the account's, and what credits cover is no limit.
    let mut extra = at(1, 90.0, 5000);
    extra.1.limits.windows[0].name = Some("fox".into());
    let mut covered = at(1, 100.0, 5000);
    covered.1.limits.credits = Some(Credits { has_credits: true, unlimited: false, balance: None });
    for calm in [extra, covered] {
        assert_eq!(told(&[at(0, 1.0, 5000), calm]), [""; 0]);
    }
}

#[test]
fn a_limit_is_reached_once_and_over_once_whatever_pages_say_meanwhile() {
    let rests = |now: i64, until: Option<i64>| {
        let rest = Some(Rest { since: NOW, until: until.map(|until| NOW + until) });
        (NOW + now, AccountView { rest, ..account("me") })
    };
    let free = |now: i64| (NOW + now, account("me"));
    assert_eq!(told(&[free(0), rests(1, Some(100)), rests(2, Some(101)), free(101)]), ["reached", "over"]);
    // A page says that there is room, the next request meets the limit all the same, and so on.
    let flickers =
        [free(0), rests(1, Some(900)), free(2), rests(3, Some(901)), free(4), rests(5, Some(900)), free(900)];
    assert_eq!(told(&flickers), ["reached", "over"]);
    let endless = [free(0), rests(1, None), free(2), rests(3, None), free(4)];
    assert_eq!(told(&endless), ["reached", "over"]);
    // Another limit, or the next time round, is another event.
    assert_eq!(
        told(&[free(0), rests(1, Some(100)), free(2), rests(3, Some(9000))]),
        ["reached", "over", "reached"]
    );
    assert_eq!(
        told(&[free(0), rests(1, Some(100)), free(101), rests(102, Some(200))]),
        ["reached", "over", "reached"]
    );
    assert_eq!(told(&[rests(0, Some(100)), free(101)]), ["over"], "it was reached before the start");
}

#[test]
fn a_window_that_others_fill_up_is_a_limit_too_and_ends_by_the_calendar() {
    let at = |now: i64, percent: f64| {
        (NOW + now, AccountView { limits: used(percent, NOW + 500), ..account("me") })
    };
    assert_eq!(
        told(&[at(0, 10.0), at(1, 85.0), at(2, 100.0), at(499, 100.0), at(500, 100.0)]),
        ["near", "reached", "over"]
    );
    assert_eq!(told(&[at(0, 10.0), at(1, 100.0)]), ["reached"], "what is reached is not near as well");
}
