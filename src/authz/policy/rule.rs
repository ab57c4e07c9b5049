//! What a policy is asked, and what it may say.

use std::{borrow::Cow, fmt, future::ready, marker::PhantomData, sync::Arc};

use super::Env;
use crate::{
    authz::StepUp,
    identity::Principal,
    store::{BoxFuture, SharedError},
};

/// Who wants to do what, with what, under which circumstances.
#[derive(Debug)]
#[non_exhaustive]
pub struct Question<'a, R: ?Sized> {
    /// Who.
    pub subject: &'a Principal,
    /// What is to be done: `read`, `approve`, in the application's words.
    pub action: &'a str,
    /// What it is to be done with: a type of the application's, so that an attribute that does not
    /// exist does not compile.
    pub resource: &'a R,
    /// When, from where.
    pub env: &'a Env,
}

impl<R: ?Sized> Clone for Question<'_, R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R: ?Sized> Copy for Question<'_, R> {}

impl<'a, R: ?Sized> Question<'a, R> {
    /// A question.
    pub fn new(subject: &'a Principal, action: &'a str, resource: &'a R, env: &'a Env) -> Self {
        Self { subject, action, resource, env }
    }

    /// Whether more than one factor has proved who the subject is: `amr` has `mfa` (RFC 8176 §2).
    pub fn mfa_verified(&self) -> bool {
        self.subject.amr().any(|method| method == "mfa")
    }
}

/// What one policy says. Reasons go to the log, never to the client.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Effect {
    /// As far as this policy is concerned, yes.
    Grant(Cow<'static, str>),
    /// This is none of this policy's business. If all abstain, the answer is no.
    Abstain,
    /// No, whatever the others say.
    Veto(Cow<'static, str>),
    /// No, until the caller is authenticated so strongly, or so recently (RFC 9470).
    StepUp(Arc<StepUp>, Cow<'static, str>),
    /// It cannot be known now: a data source is down. That is no denial, but a 503.
    Indeterminate(SharedError),
}

impl Effect {
    /// Yes, because.
    pub fn grant(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::Grant(reason.into())
    }

    /// No, because.
    pub fn veto(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::Veto(reason.into())
    }

    /// Not yet: a stronger authentication is needed, because. The caller gets 401 with a challenge if
    /// everything else lets it through, else the 403 of the others.
    pub fn step_up(step_up: StepUp, reason: impl Into<Cow<'static, str>>) -> Self {
        Self::StepUp(Arc::new(step_up), reason.into())
    }

    /// It cannot be known now.
    pub fn indeterminate(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Indeterminate(Arc::from(source.into()))
    }
}

/// One rule about resources of type `R`.
///
/// Most are functions of what is at hand: write them with [`policy`]. One that asks a data source
/// returns `None` from [`decide_now`](Self::decide_now), and answers in [`decide`](Self::decide):
///
/// ```
/// use std::{collections::HashSet, sync::Arc};
/// use portcullis::{
///     authz::policy::{Effect, Env, Policy, PolicySet, Question, policy},
///     store::BoxFuture,
///     testing::principal,
///     time::Timestamp,
/// };
/// use tokio::sync::RwLock;
///
/// struct Invoice { owner: String }
///
/// /// Those who are under investigation touch nothing. (A table in a database, say.)
/// #[derive(Debug)]
/// struct Investigations { subjects: Arc<RwLock<HashSet<String>>> }
///
/// impl Policy<Invoice> for Investigations {
///     fn id(&self) -> &str {
///         "investigations"
///     }
///
///     fn decide_now(&self, _: &Question<'_, Invoice>) -> Option<Effect> {
///         None
///     }
///
///     fn decide<'a>(&'a self, question: &'a Question<'a, Invoice>) -> BoxFuture<'a, Effect> {
///         Box::pin(async move {
///             // A source that fails would be `Effect::indeterminate(error)`.
///             let subjects = self.subjects.read().await;
///             if subjects.contains(question.subject.subject()) {
///                 Effect::veto("the subject is under investigation")
///             } else {
///                 Effect::Abstain
///             }
///         })
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let subjects = Arc::new(RwLock::new(HashSet::new()));
/// let policies = PolicySet::builder()
///     .policy(policy("owner", |question: &Question<'_, Invoice>| {
///         if question.resource.owner == question.subject.subject() {
///             Effect::grant("it is the owner's")
///         } else {
///             Effect::Abstain
///         }
///     }))
///     .policy(Investigations { subjects: subjects.clone() })
///     .build()?;
///
/// let (caller, env) = (principal("usr_1").build(), Env::at(Timestamp::EPOCH));
/// let invoice = Invoice { owner: "usr_1".into() };
/// let question = Question::new(&caller, "read", &invoice, &env);
/// assert!(policies.decide(&question).await.is_allowed());
/// subjects.write().await.insert("usr_1".into());
/// assert_eq!(policies.decide(&question).await.policy(), Some("investigations"));
/// # Ok(()) }
/// ```
pub trait Policy<R: ?Sized>: fmt::Debug + Send + Sync + 'static {
    /// A stable name: in logs, in grants.
    fn id(&self) -> &str;

    /// The answer, if it needs no waiting. Must not block.
    fn decide_now(&self, question: &Question<'_, R>) -> Option<Effect>;

    /// The answer, if [`decide_now`](Self::decide_now) had none. The set bounds the time.
    fn decide<'a>(&'a self, question: &'a Question<'a, R>) -> BoxFuture<'a, Effect> {
        let effect = self.decide_now(question).unwrap_or_else(|| Effect::indeterminate("the policy gave no answer"));
        Box::pin(ready(effect))
    }
}

/// A policy that is a function of what is at hand.
pub fn policy<R, F>(id: impl Into<String>, decide: F) -> impl Policy<R>
where
    R: ?Sized + 'static,
    F: Fn(&Question<'_, R>) -> Effect + Send + Sync + 'static,
{
    Function { id: id.into().into(), decide, of: PhantomData }
}

struct Function<R: ?Sized, F> {
    id: Box<str>,
    decide: F,
    of: PhantomData<fn(&R)>,
}

impl<R, F> Policy<R> for Function<R, F>
where
    R: ?Sized + 'static,
    F: Fn(&Question<'_, R>) -> Effect + Send + Sync + 'static,
{
    fn id(&self) -> &str {
        &self.id
    }

    fn decide_now(&self, question: &Question<'_, R>) -> Option<Effect> {
        Some((self.decide)(question))
    }
}

impl<R: ?Sized, F> fmt::Debug for Function<R, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Policy").field(&self.id).finish()
    }
}
