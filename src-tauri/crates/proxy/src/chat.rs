//! `POST /v1/chat/completions`: a chat becomes a Messages request and goes the way of all others; its answer becomes
//! chunks, or a completion.

use axum::extract::{Request, State};
use axum::response::Response;
use bytes::Bytes;
use dragoman_protocol::failure::Failure;
use dragoman_protocol::openai::chat::request::ChatRequest;
use dragoman_protocol::translate::{Chat, chat_to_messages, failure_in_chat};
use http::HeaderMap;

use crate::Proxy;
use crate::body::text_of;
use crate::door::Door;
use crate::messages::{AnswerForm, Exchange, Incoming};

/// The endpoint.
pub(crate) async fn chat(State(proxy): State<Proxy>, request: Request) -> Response {
    Door::Chat.answer(&proxy, request).await
}

pub(crate) async fn prepare(
    proxy: &Proxy,
    config: &crate::Config,
    headers: &HeaderMap,
    shown: Bytes,
    id: &str,
) -> Result<Exchange, Failure> {
    let Chat { body, form, verbosity, notes } = {
        let text = text_of(&shown)?;
        let request = ChatRequest::parse(&text)?;
        chat_to_messages(&request, &proxy.inner.kept.thoughts_of(&request))?
    };
    let form = AnswerForm::Chat(form);
    let incoming =
        Incoming { shown, form, verbosity, notes, ..Incoming::messages(headers, Bytes::from(body), id) };
    Exchange::prepare(proxy, config, incoming).await.map_err(failure_in_chat)
}
