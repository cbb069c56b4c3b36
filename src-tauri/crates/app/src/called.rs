//! What people call an account: one name for menus, pages, notices and lists, and no two alike.

use std::collections::BTreeMap;

use dragoman_upstream::{AccountId, AccountKind, AccountState, AccountView};

/// The name that the user gave it, else its e-mail address, else what it is. Where another of `among` is called the
/// same, what tells them apart stands behind it: the plan, else the sort of login, else the id.
pub fn called(account: &AccountView, among: &[AccountView]) -> String {
    let name = name(account);
    let alike: Vec<_> =
        among.iter().filter(|other| other.id != account.id && self::name(other) == name).collect();
    if alike.is_empty() {
        return name.to_owned();
    }
    let apart = [plan, sort].into_iter().find_map(|facet| {
        let own = facet(account)?;
        alike.iter().all(|other| facet(other).as_deref() != Some(&*own)).then_some(own)
    });
    format!("{name} ({})", apart.unwrap_or_else(|| account.id.to_string()))
}

/// What each of them is called.
pub(crate) fn names(accounts: &[AccountView]) -> BTreeMap<AccountId, String> {
    accounts.iter().map(|account| (account.id.clone(), called(account, accounts))).collect()
}

fn name(account: &AccountView) -> &str {
    match (&account.name, &account.label, account.kind) {
        (_, _, AccountKind::Demo) => "demo",
        (Some(name), ..) | (None, Some(name), _) => name,
        (None, None, AccountKind::ApiKey) => "API key",
        (None, None, AccountKind::Linked | AccountKind::Own) => match account.state {
            AccountState::None => "no account",
            AccountState::Ready | AccountState::SignIn(_) | AccountState::Locked(_) => "ChatGPT account",
        },
    }
}

fn plan(account: &AccountView) -> Option<String> {
    let mut letters = account.plan.as_deref()?.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect())
}

fn sort(account: &AccountView) -> Option<String> {
    let words = match account.kind {
        AccountKind::Linked => "Codex CLI",
        AccountKind::Own => "Dragoman",
        AccountKind::ApiKey => "API key",
        AccountKind::Demo => return None,
    };
    Some(words.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(kind: AccountKind, identity: &str, plan: &str) -> AccountView {
        AccountView {
            label: Some("you@example.com".to_owned()),
            plan: Some(plan.to_owned()),
            ..AccountView::new(kind, identity)
        }
    }

    fn names_of(accounts: &[AccountView]) -> Vec<String> {
        accounts.iter().map(|account| called(account, accounts)).collect()
    }

    #[test]
    fn one_of_its_name_is_called_by_it() {
        let mut accounts = [account(AccountKind::Own, "a", "plus"), account(AccountKind::Own, "b", "plus")];
        accounts[1].name = Some("work".to_owned());
        assert_eq!(names_of(&accounts), ["you@example.com", "work"]);
        accounts[0].kind = AccountKind::Demo;
        assert_eq!(called(&accounts[0], &accounts), "demo");
        assert_eq!(called(&AccountView::new(AccountKind::ApiKey, "k"), &[]), "API key");
    }

    #[test]
    fn what_tells_them_apart_stands_behind_the_same_name() {
        let plans = [account(AccountKind::Own, "a", "plus"), account(AccountKind::Own, "b", "business")];
        assert_eq!(names_of(&plans), ["you@example.com (Plus)", "you@example.com (Business)"]);
        let sorts = [account(AccountKind::Own, "a", "plus"), account(AccountKind::Linked, "b", "plus")];
        assert_eq!(names_of(&sorts), ["you@example.com (Dragoman)", "you@example.com (Codex CLI)"]);
        let twins = [account(AccountKind::Own, "a", "plus"), account(AccountKind::Own, "b", "plus")];
        let ids = twins.iter().map(|twin| format!("you@example.com ({})", twin.id)).collect::<Vec<_>>();
        assert_eq!(names_of(&twins), ids);
    }

    #[test]
    fn of_three_no_two_are_called_the_same() {
        let three = [
            account(AccountKind::Own, "a", "plus"),
            account(AccountKind::Linked, "b", "plus"),
            account(AccountKind::Own, "c", "business"),
        ];
        let [first, second, third] = &names_of(&three)[..] else { panic!() };
        assert_eq!((&**second, &**third), ("you@example.com (Codex CLI)", "you@example.com (Business)"));
        assert_eq!(*first, format!("you@example.com ({})", three[0].id));
    }
}
