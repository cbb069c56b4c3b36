//! The facade `App` in this process, as the desktop holds it, against the fake backend: what it tells of itself.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail as tests do")]

mod activity;
mod notices;
mod secrets;
mod settings;

use dragoman::settings::AdminListen;
use dragoman::{App, Options};
use support::http::{Call, Whole};
use support::{Launch, TOKEN, message};

/// The program, on.
async fn app(launch: &Launch) -> App {
    let options = Options {
        environment: launch.environment().into_iter().collect(),
        listen: Some(([127, 0, 0, 1], 0).into()),
        admin_listen: Some(AdminListen::Off),
        ..Options::default()
    };
    let app = App::start(options).await.unwrap();
    app.turn_on().await.unwrap();
    app
}

/// One question through the listener.
async fn ask(app: &App, text: &str) -> Whole {
    let address = app.turn_on().await.unwrap();
    let call = Call::new(address, "POST", "/v1/messages").header("authorization", &format!("Bearer {TOKEN}"));
    call.header("anthropic-version", "2023-06-01").json(&message(text)).send().await
}
