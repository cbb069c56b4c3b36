//! SIGKILL while a login is being renewed, again and again; and two processes at once.

use std::time::Duration;

use support::fake::{FakeChatGpt, Rule};
use support::{Launch, codex_home, message};

use crate::*;

/// What the kills of one kind came to.
#[derive(Debug, Default)]
struct Sum {
    kills: usize,
    /// The process died with the refresh token spent and its successor nowhere on the disk.
    lost: usize,
    /// It died after the refresh token was spent, and the login lived on all the same.
    saved: usize,
}

/// Kills a process that renews its login, at a moment that differs each time; then the next process must answer.
async fn killed_again_and_again(own: bool, forgiving: bool, kills: usize) -> Sum {
    let mut sum = Sum::default();
    for number in 0..kills {
        let fake = FakeChatGpt::start();
        if forgiving {
            fake.forgive_repeats();
        }
        fake.script([Rule::any("a").always().text("fine")]);
        // Less than five minutes: the first request renews it.
        let login = fake.sign_in_for(250);
        let launch = Launch::signed_out(&fake);
        if own {
            own_login(launch.path(), &login, 1);
        } else {
            codex_home(&launch.path().join("codex"), &login);
        }
        let mut dragoman = launch.start().await;
        let asked = tokio::spawn(dragoman.messages(&message("hi")).send());
        // From before the refresh is sent to after it is stored, in steps finer than a file takes to be written.
        if number % 5 != 0 {
            let sent = async {
                while fake.refreshes().is_empty() {
                    tokio::task::yield_now().await
                }
            };
            tokio::time::timeout(Duration::from_secs(10), sent).await.expect("a refresh is sent");
        }
        let jitter = u64::from(support::random().bytes().next().unwrap_or(0)) * 97 + number as u64 * 131;
        tokio::time::sleep(Duration::from_micros(jitter % 12_000)).await;
        asked.abort();
        dragoman.interrupt("KILL");
        dragoman.ended(Duration::from_secs(10)).await;
        sum.kills += 1;
        let spent = fake.refreshes().len();

        let dragoman = dragoman.again().await;
        let answer = dragoman.messages(&message("hi")).send().await;
        assert_eq!(answer.status, 200, "{own} {forgiving} {number}: {} {}", answer.text(), fake.story());
        let (code, said) = run(dragoman.launch(), &["accounts", "refresh", "1"]);
        match code {
            Some(0) => sum.saved += usize::from(spent > 0),
            _ => {
                assert!(spent > 0 && !forgiving, "{own} {number}: {said} {}", fake.story());
                assert!(said.contains("in the middle of renewing"), "{own} {number}: {said}");
                let asked = fake.refreshes().len();
                run(dragoman.launch(), &["accounts", "refresh", "1"]);
                assert_eq!(fake.refreshes().len(), asked, "a dead token is not tried by the next process");
                sum.lost += 1;
            }
        }
    }
    sum
}

#[tokio::test]
async fn fifty_kills_in_the_middle_of_a_renewal_are_each_followed_by_an_answer() {
    let mut saved = 0;
    for own in [true, false] {
        let forgiving = killed_again_and_again(own, true, 13).await;
        assert_eq!(forgiving.lost, 0, "an issuer that gives the same answer again loses nothing");
        let strict = killed_again_and_again(own, false, 12).await;
        saved += forgiving.saved + strict.saved;
        assert_eq!(forgiving.kills + strict.kills, 25);
    }
    assert!(saved > 10, "most kills must hit a renewal: {saved}");
}

#[tokio::test]
async fn processes_side_by_side_spend_a_refresh_token_once() {
    for own in [true, false] {
        let fake = FakeChatGpt::start();
        fake.script([Rule::any("a").always().text("fine")]);
        let login = fake.sign_in_for(120);
        let launch = Launch::signed_out(&fake);
        if own {
            own_login(launch.path(), &login, 1);
        } else {
            codex_home(&launch.path().join("codex"), &login);
        }
        let dragoman = launch.start().await;
        let mut commands: Vec<_> = (0..3)
            .map(|_| {
                let mut command = dragoman.launch().command();
                command.args(["accounts", "test"]).stdout(std::process::Stdio::null()).spawn().unwrap()
            })
            .collect();
        let requests: Vec<_> =
            (0..10).map(|_| tokio::spawn(dragoman.messages(&message("hi")).send())).collect();
        for request in requests {
            assert_eq!(request.await.unwrap().status, 200, "{}", fake.story());
        }
        for command in &mut commands {
            assert!(command.wait().unwrap().success());
        }
        assert_eq!(fake.refreshes().len(), 1, "own {own}: {}", fake.story());
    }
}
