//! `POST /v1/chat/completions`: a chat becomes a Messages request and goes the way of all others; its answer becomes
//! chunks, or a completion.

use axum::extract::{Request, State};
use axum::response::Response;
use bytes::Bytes;
use dragoman_protocol::failure::Failure;
use dragoman_protocol::openai::chat::request::ChatRequest;
use dragoman_protocol::translate::{Chat, chat_to_messages, failure_in_chat};

use crate::Proxy;
use crate::door::Door;
use crate::error::request_id;
use crate::messages::{AnswerForm, Exchange, Incoming, read_body, text_of};

/// The endpoint.
pub(crate) async fn chat(State(proxy): State<Proxy>, request: Request) -> Response {
    let id = request_id();
    let answer = answer(&proxy, request, &id).await;
    Door::Chat.finish(answer, &proxy.inner.client, &id)
}

async fn answer(proxy: &Proxy, request: Request, id: &str) -> Result<Response, Failure> {
    let config = proxy.config();
    let headers = request.headers().clone();
    let shown = read_body(request, config.body_limit).await?;
    let Chat { body, form, verbosity, notes } = {
        let text = text_of(&shown)?;
        let request = ChatRequest::parse(&text)?;
        chat_to_messages(&request, &proxy.inner.kept.thoughts_of(&request))?
    };
    let incoming = Incoming {
        headers: &headers,
        shown,
        body: Bytes::from(body),
        id,
        form: AnswerForm::Chat(form),
        verbosity,
        notes,
        scenario: None,
    };
    let exchange = Exchange::prepare(proxy, &config, incoming).await.map_err(failure_in_chat)?;
    exchange.answer().await
}
