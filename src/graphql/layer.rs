use std::{fmt, sync::Arc, time::Duration};

use axum::body::Body;
use http::{HeaderValue, Method as HttpMethod, Request, header};

use super::{
    GraphQlLimitLayerBuilder,
    asked::{self, Asked},
    fault::{Fault, Limit},
    judge::{Judge, Method},
    media::{self, Form},
};
use crate::{
    gate::{self, Entry, Gate, GateLayer, VerdictCounts, Waited, layer_of_gate},
    lint::{Report, Waivers},
    rejection::{GraphQlErrors, Rejection, RejectionKind},
    request::{Place, RequestContext},
};

/// Refuses GraphQL requests that ask for too much at once. See the [module](super).
#[derive(Clone, Debug)]
pub struct GraphQlLimitLayer {
    pub(super) gate: GateLayer<GraphQlLimitGate>,
    pub(super) report: Arc<Report>,
}

impl GraphQlLimitLayer {
    /// Settings, with the limits of the [module](super#limits).
    pub fn builder() -> GraphQlLimitLayerBuilder {
        GraphQlLimitLayerBuilder::new()
    }

    /// What was found doubtful when the layer was built.
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// How often the layer said what.
    pub fn verdicts(&self) -> VerdictCounts {
        self.gate.verdicts()
    }
}

layer_of_gate!(GraphQlLimitLayer => GraphQlLimitGate, |layer| layer.gate.clone());

/// The gate of [`GraphQlLimitLayer`].
pub struct GraphQlLimitGate {
    pub(super) judge: Judge,
    pub(super) get: bool,
    pub(super) max_body: usize,
    pub(super) body_timeout: Duration,
    pub(super) graphql_errors: bool,
    pub(super) waivers: Option<Arc<Waivers>>,
}

impl fmt::Debug for GraphQlLimitGate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GraphQlLimitGate").field("limits", &self.judge.limits).finish_non_exhaustive()
    }
}

impl Gate<Body> for GraphQlLimitGate {
    const NAME: &'static str = "graphql_limit";
    const PLACE: Place = Place::GraphQl;
    type Pass = ();

    fn enter(self: &Arc<Self>, request: &mut Request<Body>, context: &Arc<RequestContext>) -> Entry<Body, ()> {
        context.announce(self.waivers.as_ref());
        let form = match self.head(request, context) {
            Ok(Some(form)) => form,
            Ok(None) => return Entry::Pass(()),
            Err(rejection) => return Entry::Reject(self.styled(rejection, request)),
        };
        let (gate, context) = (Arc::clone(self), Arc::clone(context));
        Entry::wait(move |request| async move {
            let (parts, body) = request.into_parts();
            let judged = async {
                let read = gate::collect(body, gate.max_body, gate.body_timeout).await?;
                let asked = gate.read(form, read.bytes())?;
                let cost = gate.judge.judge(&asked, Method::Unsafe).map_err(|fault| gate.refusal(fault))?;
                context.set_computed_cost(cost);
                Ok::<_, Rejection>(read)
            };
            match judged.await {
                Ok(read) => Waited::Pass(Request::from_parts(parts, read.into_body()), ()),
                Err(rejection) => Waited::Reject(gate.styled(rejection, &Request::from_parts(parts, Body::empty()))),
            }
        })
    }
}

impl GraphQlLimitGate {
    /// What is known before a body is read: its form, or for a GET that there is none.
    fn head(&self, request: &Request<Body>, context: &RequestContext) -> Result<Option<Form>, Rejection> {
        if *request.method() == HttpMethod::GET && self.get {
            let asked = asked::from_query(request.uri().query().unwrap_or_default());
            let judged = asked.and_then(|asked| self.judge.judge(&[asked], Method::Safe));
            context.set_computed_cost(judged.map_err(|fault| self.refusal(fault))?);
            return Ok(None);
        }
        if *request.method() != HttpMethod::POST {
            return Err(Rejection::new(RejectionKind::MethodNotAllowed).with_header(header::ALLOW, self.allow()));
        }
        let form = media::form(request.headers()).ok_or(RejectionKind::UnsupportedMediaType)?;
        gate::announced(request.headers(), request.body(), self.max_body)?;
        Ok(Some(form))
    }

    fn read(&self, form: Form, body: &[u8]) -> Result<Vec<Asked>, Rejection> {
        let asked = match form {
            Form::Json => asked::from_json(body, self.judge.limits.batch),
            Form::Document => match std::str::from_utf8(body) {
                Ok(query) => Ok(vec![Asked { query: Some(query.to_owned()), ..Asked::default() }]),
                Err(_) => Err(Fault::Unreadable),
            },
        };
        asked.map_err(|fault| self.refusal(fault))
    }

    const fn allow(&self) -> HeaderValue {
        HeaderValue::from_static(if self.get { "GET, POST" } else { "POST" })
    }

    /// The status is that of GraphQL over HTTP, *Status Codes*.
    fn refusal(&self, fault: Fault) -> Rejection {
        match fault {
            Fault::Unreadable => {
                Rejection::new(RejectionKind::InvalidRequest).with_detail("The request is no JSON, or not in UTF-8.")
            }
            Fault::Syntax { at } => Rejection::new(RejectionKind::InvalidRequest)
                .with_detail("The GraphQL document cannot be parsed.")
                .with_member("offset", at),
            Fault::Malformed(detail) | Fault::Invalid(detail) => {
                Rejection::new(RejectionKind::UnprocessableContent).with_detail(detail)
            }
            Fault::Exceeded(limit) => self.exceeded(limit),
            Fault::UnsafeMethod => Rejection::new(RejectionKind::MethodNotAllowed)
                .with_detail("A mutation needs POST.")
                .with_header(header::ALLOW, HeaderValue::from_static("POST")),
        }
    }

    fn exceeded(&self, limit: Limit) -> Rejection {
        Rejection::new(RejectionKind::QueryTooComplex)
            .with_detail(limit.detail())
            .with_member("exceeded", limit.as_str())
            .with_member("limit", self.judge.limits.of(limit))
    }

    fn styled(&self, rejection: Rejection, request: &Request<Body>) -> Rejection {
        if self.graphql_errors {
            return rejection.with_graphql_body(GraphQlErrors::accepted(request.headers()));
        }
        rejection
    }
}
