//! Which account answers: by the strategy, but the same one for a whole session, so that its prompt cache holds.
//!
//! Not here: what is done when an account can't answer (`codex.rs`), resting (`rest.rs`).

use std::sync::{Arc, Mutex, PoisonError};

use dragoman_protocol::failure::Failure;
use dragoman_protocol::route::Pool;

use super::account::Account;
use super::problem::AccountProblem;
use super::tokens::Credential;
use super::view::{AccountId, AccountKind, AccountState, AccountView};
use super::{Accounts, no_account};
use crate::attempt::Lane;
use crate::config::Strategy;
use crate::memory::Recent;

/// Who may answer.
#[derive(Debug)]
pub(crate) enum Choice {
    /// This one.
    Use(Arc<Account>),
    /// All that are left are at their usage limit; the one that resets first stands first.
    AllRest(Vec<Arc<Account>>),
    /// All were tried, are paused, or must be signed in to.
    Nobody,
}

/// What choosing remembers.
#[derive(Debug, Default)]
pub(super) struct Chooser {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    strategy: Strategy,
    /// Whom a session belongs to, within a pool. Bounded.
    sessions: Recent<(String, Option<Pool>), AccountId>,
    /// Sessions that nobody else may answer in. Bounded.
    pins: Recent<String, AccountId>,
    /// How often the accounts took turns.
    turns: usize,
}

impl Chooser {
    fn with<T>(&self, work: impl FnOnce(&mut Inner) -> T) -> T {
        work(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The user's wish has changed: sessions begin anew.
    pub(super) fn forget_sessions(&self) {
        self.with(|inner| inner.sessions = Recent::default());
    }
}

impl Accounts {
    /// How accounts are chosen from now on. Sessions stay where they are.
    pub(crate) fn set_strategy(&self, strategy: Strategy) {
        self.chooser.with(|inner| inner.strategy = strategy);
    }

    /// From now on nobody but this account answers in this session.
    pub(crate) async fn pin(&self, session: &str, words: &str) -> Result<AccountId, AccountProblem> {
        let id = self.find(words).await?.id().clone();
        self.chooser.with(|inner| inner.pins.put(session.to_owned(), id.clone()));
        Ok(id)
    }

    /// The account for the next request of this lane, but none of those that were tried for it.
    pub(crate) async fn choose(&self, lane: Lane<'_>, tried: &[AccountId]) -> Result<Choice, Failure> {
        let Lane { session, pool } = lane;
        let mut order = self.in_order().await?;
        if let Some(pinned) = self.chooser.with(|inner| inner.pins.get(session).cloned()) {
            let account = order.into_iter().find(|account| *account.id() == pinned && tried.is_empty());
            return Ok(account.map_or(Choice::Nobody, Choice::Use));
        }
        order.retain(|account| is_in(account, pool));
        let mut open = Vec::new();
        let mut ending = Vec::new();
        let mut resting = Vec::new();
        for account in order {
            if tried.contains(account.id()) {
                continue;
            }
            // Somebody may have signed in since; looking is cheap.
            let (mut lingers, mut is_retried) = (true, false);
            if is_over(&account) {
                let Ok(credential) = account.credential().await else { continue };
                lingers = account.lingers(&credential);
                is_retried = account.deserves_another_try(&credential);
            }
            let Some(view) = account.seat().view().filter(|view| !view.paused) else { continue };
            if is_over(&account) && !is_retried {
                if lingers {
                    ending.push((account, view));
                }
                continue;
            }
            match account.rests() {
                None => open.push((account, view)),
                Some(Failure::AccountLimit { resets_at, .. }) => {
                    resting.push((resets_at.unwrap_or(i64::MAX), account));
                }
                Some(_) => {}
            }
        }
        // Better one whose login ends in a moment, or was refused a moment ago, than none, or than one at its limit: what
        // the backend says now counts.
        if open.is_empty() {
            open = ending;
        }
        let chosen = self.chooser.with(|inner| {
            let views: Vec<_> = open.iter().map(|(_, view)| view).collect();
            let seat = (session.to_owned(), pool);
            let sticky = inner.sessions.get(&seat).filter(|_| !session.is_empty());
            let at = match views.iter().position(|view| Some(&view.id) == sticky) {
                Some(at) => at,
                None => pick(inner.strategy, &views, &mut inner.turns)?,
            };
            if !session.is_empty() {
                inner.sessions.put(seat, views[at].id.clone());
            }
            Some(at)
        });
        if let Some(at) = chosen {
            let (account, _) = open.swap_remove(at);
            self.roster.change(|view| view.in_use = account.id().clone());
            return Ok(Choice::Use(account));
        }
        resting.sort_by_key(|(resets_at, _)| *resets_at);
        Ok(match resting.is_empty() {
            true => Choice::Nobody,
            false => Choice::AllRest(resting.into_iter().map(|(_, account)| account).collect()),
        })
    }

    /// The account that is asked for the models: a subscription if there is one. A limit is no reason not to ask.
    pub(crate) async fn for_catalog(&self) -> Result<Arc<Account>, Failure> {
        let mut keys = Vec::new();
        for account in self.in_order().await? {
            let paused = account.seat().view().is_none_or(|view| view.paused);
            if paused || account.read(false).await.is_err() {
                continue;
            }
            if account.kind != AccountKind::ApiKey {
                return Ok(account);
            }
            keys.push(account);
        }
        match keys.into_iter().next() {
            Some(account) => Ok(account),
            None => Err(self.nobody(None).await),
        }
    }

    /// Who a request of this lane would be made for. No network.
    pub(crate) async fn plan(&self, lane: Lane<'_>) -> Result<Credential, Failure> {
        let mut tried = Vec::new();
        let mut first = None;
        loop {
            let account = match self.choose(lane, &tried).await? {
                Choice::Use(account) => account,
                Choice::AllRest(resting) => match resting.into_iter().next() {
                    Some(account) => account,
                    None => return Err(no_account()),
                },
                Choice::Nobody => {
                    return Err(match first {
                        Some(failure) => failure,
                        None => self.nobody(lane.pool).await,
                    });
                }
            };
            match account.credential().await {
                Ok(credential) => return Ok(credential),
                Err(failure) if is_over(&account) => {
                    tried.push(account.id().clone());
                    first = first.or(Some(failure));
                }
                Err(failure) => return Err(failure),
            }
        }
    }

    /// Nobody of the pool may answer: what is wrong with the preferred account.
    pub(crate) async fn nobody(&self, pool: Option<Pool>) -> Failure {
        let mut order = match self.in_order().await {
            Ok(order) => order,
            Err(failure) => return failure,
        };
        let everybody = order.len();
        order.retain(|account| is_in(account, pool));
        match pool {
            Some(Pool::Api) if order.is_empty() => {
                let message = "There is no key of the OpenAI API here, which this model was asked of. Add one with \
                               `dragoman login --api-key`.";
                return Failure::SignIn { message: message.to_owned() };
            }
            Some(Pool::ChatGpt) if order.is_empty() && everybody > 0 => {
                let message = "There is no ChatGPT login here, which this model was asked of. Sign in with \
                               `dragoman login`.";
                return Failure::SignIn { message: message.to_owned() };
            }
            Some(Pool::Api | Pool::ChatGpt) | None => {}
        }
        let awake = |account: &&Arc<Account>| account.seat().view().is_some_and(|view| !view.paused);
        match order.iter().find(awake) {
            Some(account) => match account.credential().await {
                Ok(credential) => account
                    .sentence_about(&credential)
                    .map_or_else(no_account, |message| Failure::SignIn { message }),
                Err(failure) => failure,
            },
            None => Failure::SignIn {
                message: "All accounts are paused. Let one in again with `dragoman accounts resume <name>`."
                    .to_owned(),
            },
        }
    }
}

/// Must somebody sign in before this account is of use again?
pub(crate) fn is_over(account: &Account) -> bool {
    account
        .seat()
        .view()
        .is_none_or(|view| matches!(view.state, AccountState::SignIn(_) | AccountState::None))
}

fn is_in(account: &Account, pool: Option<Pool>) -> bool {
    pool.is_none_or(|pool| account.kind.pool() == pool)
}

/// The place of the one that the strategy takes. API keys are paid by use: they come after every subscription, unless
/// the order is what counts.
fn pick(strategy: Strategy, accounts: &[&AccountView], turns: &mut usize) -> Option<usize> {
    let places = |paid: bool| {
        let is_key = move |account: &AccountView| account.kind == AccountKind::ApiKey;
        let places = accounts.iter().enumerate().filter(move |(_, account)| is_key(account) == paid);
        places.map(|(at, _)| at).collect::<Vec<_>>()
    };
    let group = [places(false), places(true)].into_iter().find(|group| !group.is_empty())?;
    match strategy {
        Strategy::Priority => Some(0),
        Strategy::RoundRobin => {
            let at = group[*turns % group.len()];
            *turns = turns.wrapping_add(1);
            Some(at)
        }
        // Of equals the preferred one.
        Strategy::MostRoom => {
            group.into_iter().rev().max_by(|a, b| room(accounts[*a]).total_cmp(&room(accounts[*b])))
        }
    }
}

/// How much of the fullest window is left, in percent. What is not known yet is taken for all.
fn room(account: &AccountView) -> f64 {
    let own = account.limits.windows.iter().filter(|window| window.name.is_none());
    own.map(|window| 100.0 - window.used_percent).fold(100.0, f64::min)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::LimitWindow;

    fn account(kind: AccountKind, used: &[f64]) -> AccountView {
        let mut account = AccountView::new(kind, "x");
        account.limits.windows = used
            .iter()
            .map(|used| LimitWindow { name: None, minutes: 300, used_percent: *used, resets_at: None })
            .collect();
        account
    }

    fn picks(strategy: Strategy, accounts: &[AccountView], times: usize) -> Vec<Option<usize>> {
        let (views, mut turns): (Vec<_>, _) = (accounts.iter().collect(), 0);
        (0..times).map(|_| pick(strategy, &views, &mut turns)).collect()
    }

    #[test]
    fn each_strategy_takes_the_one_it_is_named_after() {
        use AccountKind::{ApiKey, Own};
        let accounts = [account(Own, &[80.0]), account(Own, &[10.0, 30.0]), account(Own, &[70.0, 5.0])];
        assert_eq!(picks(Strategy::Priority, &accounts, 2), [Some(0), Some(0)]);
        assert_eq!(picks(Strategy::RoundRobin, &accounts, 4), [Some(0), Some(1), Some(2), Some(0)]);
        assert_eq!(picks(Strategy::MostRoom, &accounts, 1), [Some(1)]);
        assert_eq!(picks(Strategy::MostRoom, &[account(Own, &[]), account(Own, &[])], 1), [Some(0)]);
        for strategy in [Strategy::Priority, Strategy::RoundRobin, Strategy::MostRoom] {
            assert_eq!(picks(strategy, &[], 1), [None]);
        }
        let with_key = [account(ApiKey, &[]), account(Own, &[99.0])];
        assert_eq!(picks(Strategy::Priority, &with_key, 1), [Some(0)], "the user put it first");
        assert_eq!(picks(Strategy::RoundRobin, &with_key, 2), [Some(1), Some(1)]);
        assert_eq!(picks(Strategy::MostRoom, &with_key, 1), [Some(1)]);
        assert_eq!(picks(Strategy::MostRoom, &with_key[..1], 1), [Some(0)]);
    }
}
