//! An answer that is passed on while it is made. Metering happens inside the stream: what was delivered is counted on
//! every way it can end.

use std::time::Duration;

use futures::future::{Either, select};
use tollgate_platform::{
    Problem, Scope,
    http::{Pump, Reply, pipe},
    log,
    outgoing::{Answer, Pieces, Unreachable},
};
use tollgate_providers::{ChatRequest, Endpoint, ModelRef, StreamDecoder, StreamEnd, StreamOutcome, decode_completion};
use web_sys::ReadableStream;
use worker::Delay;

use crate::{
    admission::{Finished, Hold},
    ask::Question,
    failure,
};

/// How often a client hears something while the provider is silent: a comment, which every reader of server-sent events
/// passes over. It keeps proxies from closing the line, and shows when the client has gone.
const HEARTBEAT: Duration = Duration::from_secs(3);
const HEARTBEAT_FRAME: &str = ": keep-alive\n\n";

/// How many heartbeats a provider may be silent in the middle of an answer: two minutes.
const PATIENCE: u32 = 40;

/// What a stream's client is sent.
const EVENT_STREAM: &str = "text/event-stream";

/// Asks the provider; an error before the stream is an error, and nothing is charged. From then on the answer flows, and
/// whatever was delivered is settled.
pub async fn answer(
    scope: &Scope,
    hold: Hold,
    request: &ChatRequest,
    model: ModelRef,
    endpoint: &Endpoint,
) -> Result<Reply, Problem> {
    let question = Question { scope, hold: &hold, request, model: &model, endpoint };
    let (pieces, mut pump, readable) = match hold.carry_out(scope, begin(&question)).await {
        Ok(begun) => begun,
        Err(problem) => {
            hold.release(scope, &problem);
            return Err(problem);
        }
    };
    let reply = hold.with_remaining(Reply::stream(EVENT_STREAM, readable), None);
    let decoder = StreamDecoder::new(request, &model, question.meta());
    if scope.client_is_gone() {
        pump.nobody_reads();
    }
    let later = scope.clone();
    scope.wait_until(async move {
        hold.carry_out(&later, flow(&later, &hold, &model, decoder, pieces, pump)).await;
    });
    Ok(reply)
}

/// The provider's stream and ours.
async fn begin(question: &Question<'_>) -> Result<(Pieces, Pump, ReadableStream), Problem> {
    let answer = question.ask().await?;
    if !(200..300).contains(&answer.status()) {
        return Err(refusal(question, &answer).await);
    }
    let no_body = || question.unreachable(&Unreachable("an answer without a body".into()));
    let pieces = answer.pieces().ok_or_else(no_body)?;
    let (pump, readable) = pipe().map_err(|error| {
        log::error("stream", &format!("{error:?}"), Some(question.scope));
        Problem::internal()
    })?;
    Ok((pieces, pump, readable))
}

/// The provider's error, read.
async fn refusal(question: &Question<'_>, answer: &Answer) -> Problem {
    let body = match answer.bytes().await {
        Ok(body) => body,
        Err(error) => return question.unreachable(&error),
    };
    let retry_after = answer.header("retry-after");
    let meta = question.meta();
    match decode_completion(question.request, question.model, answer.status(), retry_after.as_deref(), &body, &meta) {
        Err(error) => failure::refused(question.scope, &error),
        Ok(_) => Problem::internal(),
    }
}

async fn flow(
    scope: &Scope,
    hold: &Hold,
    model: &ModelRef,
    mut decoder: StreamDecoder,
    pieces: Pieces,
    mut pump: Pump,
) {
    // With an idempotency key the answer is kept for a retry, so it is read to its end even when the client has gone.
    let mut kept = hold.key.is_some().then(String::new);
    let end = loop {
        match next(&pieces, &mut pump, kept.is_some()).await {
            Next::Piece(bytes) => {
                let out = decoder.push(&bytes);
                pump.write(&out).await;
                if let Some(kept) = &mut kept {
                    kept.push_str(&out);
                }
                if decoder.is_done() {
                    break StreamEnd::Closed;
                }
                if pump.is_gone() && kept.is_none() {
                    break StreamEnd::ClientGone;
                }
            }
            Next::End(end) => break end,
        }
    };
    let finish = decoder.finish(end);
    let outcome = match &finish.outcome {
        StreamOutcome::Completed => "completed",
        StreamOutcome::Cut => "cut",
        StreamOutcome::ClientGone => "client_gone",
        StreamOutcome::Failed(error) => {
            failure::refused(scope, error);
            "failed"
        }
    };
    let answer = kept.map(|text| (200, EVENT_STREAM, text + &finish.out));
    // Settled before the last bytes leave: who has the whole answer can see it counted.
    hold.settle(scope, model, Finished { usage: finish.usage, outcome, answer });
    pump.write(&finish.out).await;
    pump.close().await;
    if outcome != "completed" {
        pieces.cancel().await;
    }
}

enum Next {
    Piece(Vec<u8>),
    End(StreamEnd),
}

/// The provider's next piece. While it is silent the client gets heartbeats; one that has gone ends the wait, unless the answer
/// is kept for a retry.
async fn next(pieces: &Pieces, pump: &mut Pump, keep_on: bool) -> Next {
    // One read for all heartbeats: a read that is given up would lose its piece.
    let mut read = Box::pin(pieces.next());
    for _ in 0..PATIENCE {
        match select(read, Delay::from(HEARTBEAT)).await {
            Either::Left((Ok(Some(bytes)), _)) => return Next::Piece(bytes),
            Either::Left((Ok(None), _)) => return Next::End(StreamEnd::Closed),
            Either::Left((Err(error), _)) => return Next::End(StreamEnd::UpstreamFailed(error.to_string())),
            Either::Right(((), unfinished)) => read = unfinished,
        }
        pump.write(HEARTBEAT_FRAME).await;
        if pump.is_gone() && !keep_on {
            return Next::End(StreamEnd::ClientGone);
        }
    }
    Next::End(StreamEnd::UpstreamFailed(format!("silent for {} s", HEARTBEAT.as_secs() * u64::from(PATIENCE))))
}
