//! What becomes of the list when accounts are added.

use super::tests::*;
use super::*;

/// A key costs money by use: it must not take the place of a subscription that was found.
#[tokio::test]
async fn a_key_stands_behind_the_login_that_was_found() {
    let house = house("http://127.0.0.1:1", TokenStoreKind::Memory);
    let key = || NewLogin::api_key("sk-test-0123456789abcdefghij");
    let kinds = |house: &House| {
        let view = house.accounts.roster().now();
        view.accounts.iter().map(|account| account.kind).collect::<Vec<_>>()
    };
    house.accounts.add(key()).await.unwrap();
    assert_eq!(kinds(&house), [AccountKind::ApiKey], "there was none");
    house.accounts.remove("1").await.unwrap();
    sign_in(&house.codex, &access("found", 9000), "rt_1");
    house.accounts.add(key()).await.unwrap();
    assert_eq!(kinds(&house), [AccountKind::Linked, AccountKind::ApiKey]);
    assert_eq!(house.account().await.kind, AccountKind::Linked);
}
