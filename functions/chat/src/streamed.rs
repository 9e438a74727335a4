//! An answer that is passed on while it is made. Metering happens inside the stream: what was delivered is counted on
//! every way it can end, and what was not is not.

use std::time::Duration;

use futures::future::{Either, select};
use tollgate_platform::{
    Problem, Scope,
    http::{Pump, Reply, pipe},
    log,
    outgoing::{Answer, Pieces, Unreachable},
};
use tollgate_providers::{
    Charge, ChatRequest, Counted, ModelRef, StreamDecoder, StreamEnd, StreamOutcome, Usage, decode_completion,
};
use web_sys::ReadableStream;
use worker::Delay;

use crate::{
    admission::{Finished, Hold},
    ask::{Call, Question},
    failure,
    providers::{Limits, Provided},
};

/// How often a client hears something while the provider is silent: a comment, which every reader of server-sent events
/// passes over. It keeps proxies from closing the line, and shows when the client has gone.
const HEARTBEAT: Duration = Duration::from_secs(3);
const HEARTBEAT_FRAME: &str = ": keep-alive\n\n";

/// How long the head of an answer is held back for its first piece. Until then a failure can be told as what it is, with
/// its status; after that the client gets a 200 and heartbeats, so that no proxy on the way gives up.
const HELD_BACK: Duration = Duration::from_secs(15);

/// How long the end of a stream is waited for once its answer is whole: some servers never send it, nor close the line.
const AFTER_THE_FINISH: Duration = Duration::from_secs(3);

/// How long a provider's stream is read on for its usage when nobody listens any more, and how much of it. What a model
/// thinks before it answers is told there and nowhere else.
const READ_ON: Duration = Duration::from_mins(2);
const READ_ON_BYTES: usize = 8 * 1024 * 1024;

/// What a stream's client is sent.
const EVENT_STREAM: &str = "text/event-stream; charset=utf-8";

/// A stream of the provider's that has begun.
struct Begun {
    decoder: StreamDecoder,
    pieces: Pieces,
    pump: Pump,
    /// What the client is sent first.
    first: String,
    /// The stream ended while its head was held back.
    end: Option<StreamEnd>,
}

/// How an answer to a streaming request begins.
enum Beginning {
    Stream(Box<Begun>, ReadableStream),
    /// A whole answer in place of a stream, as a stream, and what it took.
    Whole(String, Usage),
}

/// Asks the provider; an error before the first piece of the answer is an error, and nothing is charged. From then on the
/// answer flows, and whatever was delivered is settled.
pub async fn answer(
    scope: &Scope,
    hold: Hold,
    request: &ChatRequest,
    call: Call,
    model: ModelRef,
    provided: Provided,
) -> Result<Reply, Problem> {
    let question = Question::new(scope, &hold, request, call, &model, &provided);
    let (mut begun, readable) = match hold.carry_out(scope, begin(&question)).await {
        Ok(Beginning::Stream(begun, readable)) => (begun, readable),
        Ok(Beginning::Whole(text, usage)) => {
            let answer = hold.key.is_some().then(|| (200, EVENT_STREAM, text.clone()));
            hold.settle(scope, &model, Finished { usage, outcome: "completed", answer });
            return Ok(hold.with_remaining(Reply::bytes(http::StatusCode::OK, EVENT_STREAM, text), Some(&usage)));
        }
        Err(problem) => {
            hold.release(scope, &problem);
            return Err(problem);
        }
    };
    let reply = hold.with_remaining(Reply::stream(EVENT_STREAM, readable), None);
    if scope.client_is_gone() {
        begun.pump.nobody_reads();
    }
    let later = scope.clone();
    scope.wait_until(async move {
        hold.carry_out(&later, flow(&later, &hold, &model, *begun, &provided.limits)).await;
    });
    Ok(reply)
}

/// The provider's stream and ours, once there is a piece of the answer, or it takes too long to hold the head back.
async fn begin(question: &Question<'_>) -> Result<Beginning, Problem> {
    let answer = question.ask().await?;
    if !(200..300).contains(&answer.status()) {
        return Err(refusal(question, &answer).await);
    }
    let content_type = answer.header("content-type").unwrap_or_default().to_ascii_lowercase();
    if content_type.contains("json") || content_type.contains("html") {
        let body = question.read(&answer).await?;
        return StreamDecoder::of_whole(question.request, question.model, &body, &question.meta())
            .map(|(text, usage)| Beginning::Whole(text, usage))
            .map_err(|error| failure::refused(question.scope, &error));
    }
    let no_body = || question.unreachable(&Unreachable::broken("an answer without a body"));
    let pieces = answer.pieces().ok_or_else(no_body)?;
    let mut decoder = StreamDecoder::new(question.request, question.model, question.meta());
    let (mut first, mut end) = (String::new(), None);
    let held_back = Delay::from(HELD_BACK);
    futures::pin_mut!(held_back);
    while !decoder.has_begun() && end.is_none() {
        let read = Box::pin(pieces.next());
        match select(read, held_back.as_mut()).await {
            Either::Left((Ok(Some(bytes)), _)) => {
                first.push_str(&decoder.push(&bytes));
                if decoder.is_done() {
                    end = Some(StreamEnd::Closed);
                }
            }
            Either::Left((Ok(None), _)) => end = Some(StreamEnd::Closed),
            Either::Left((Err(error), _)) => end = Some(StreamEnd::UpstreamFailed(error.to_string())),
            Either::Right(_) => break,
        }
    }
    if let Some(how) = &end
        && !decoder.has_begun()
    {
        // Nothing was delivered: the client hears what happened, and pays nothing.
        let finish = decoder.finish(how.clone());
        if let StreamOutcome::Failed(error) = &finish.outcome {
            return Err(failure::refused(question.scope, error));
        }
        return Err(question.unreachable(&Unreachable::broken("a stream without an answer in it")));
    }
    let (pump, readable) = pipe().map_err(|error| {
        log::error("stream", &format!("{error:?}"), Some(question.scope));
        Problem::internal()
    })?;
    Ok(Beginning::Stream(Box::new(Begun { decoder, pieces, pump, first, end }), readable))
}

/// The provider's error, read.
async fn refusal(question: &Question<'_>, answer: &Answer) -> Problem {
    let body = match question.read(answer).await {
        Ok(body) => body,
        Err(problem) => return problem,
    };
    let retry_after = answer.retry_after();
    let meta = question.meta();
    match decode_completion(question.request, question.model, answer.status(), retry_after.as_deref(), &body, &meta) {
        Err(error) => failure::refused(question.scope, &error),
        Ok(_) => Problem::internal(),
    }
}

async fn flow(scope: &Scope, hold: &Hold, model: &ModelRef, begun: Begun, limits: &Limits) {
    let Begun { mut decoder, pieces, mut pump, first, mut end } = begun;
    // With an idempotency key the answer is kept for a retry, so it is read to its end even when the client has gone.
    let mut kept = hold.key.is_some().then(String::new);
    deliver(&first, &mut pump, &mut kept).await;
    while end.is_none() {
        if pump.is_gone() && kept.is_none() {
            end = Some(StreamEnd::ClientGone);
            break;
        }
        match next(&pieces, &mut pump, decoder.is_complete(), limits, kept.is_some()).await {
            Next::Piece(bytes) => {
                let out = decoder.push(&bytes);
                deliver(&out, &mut pump, &mut kept).await;
                if decoder.is_done() {
                    end = Some(StreamEnd::Closed);
                }
            }
            Next::End(how) => end = Some(how),
        }
    }
    let end = end.unwrap_or(StreamEnd::Closed);
    let was_left = end == StreamEnd::ClientGone;
    if was_left {
        read_on(&pieces, &mut decoder, limits.silence).await;
    }
    let left = was_left.then(|| decoder.counted());
    let finish = decoder.finish(end);
    let problem = match &finish.outcome {
        StreamOutcome::Failed(error) => Some(failure::refused(scope, error)),
        _ => None,
    };
    // Settled before the last bytes leave: who has the whole answer can see it counted.
    match finish.charge(left, hold.held_tokens()) {
        Charge::Nothing => hold.release(scope, &problem.unwrap_or_else(Problem::internal)),
        Charge::Used(usage, outcome) => {
            let answer = kept.map(|text| (200, EVENT_STREAM, text + &finish.out));
            hold.settle(scope, model, Finished { usage, outcome, answer });
        }
    }
    if !was_left {
        pump.write(&finish.out).await;
    }
    pump.close().await;
    if finish.outcome != StreamOutcome::Completed || was_left {
        pieces.cancel().await;
    }
}

async fn deliver(out: &str, pump: &mut Pump, kept: &mut Option<String>) {
    pump.write(out).await;
    if let Some(kept) = kept {
        kept.push_str(out);
    }
}

/// Reads what nobody listens to any more, for its usage.
async fn read_on(pieces: &Pieces, decoder: &mut StreamDecoder, silence: Duration) {
    let until = Delay::from(READ_ON);
    futures::pin_mut!(until);
    let mut left = READ_ON_BYTES;
    while !decoder.is_done() && decoder.counted() == Counted::Never {
        let read = Box::pin(select(Box::pin(pieces.next()), Delay::from(silence)));
        match select(read, until.as_mut()).await {
            Either::Left((Either::Left((Ok(Some(bytes)), _)), _)) if bytes.len() <= left => {
                left -= bytes.len();
                drop(decoder.push(&bytes));
            }
            _ => break,
        }
    }
}

enum Next {
    Piece(Vec<u8>),
    End(StreamEnd),
}

/// The provider's next piece. While it is silent the client gets heartbeats; one that has gone ends the wait, unless the answer
/// is kept for a retry. Once the answer is whole its end is waited for a few seconds.
async fn next(pieces: &Pieces, pump: &mut Pump, is_complete: bool, limits: &Limits, keep_on: bool) -> Next {
    let patience = if is_complete { AFTER_THE_FINISH } else { limits.silence };
    let mut waited = Duration::ZERO;
    loop {
        let pause = HEARTBEAT.min(patience.saturating_sub(waited));
        // A read that is given up loses nothing: the next one has its piece.
        let read = Box::pin(pieces.next());
        match select(read, Delay::from(pause)).await {
            Either::Left((Ok(Some(bytes)), _)) => return Next::Piece(bytes),
            Either::Left((Ok(None), _)) => return Next::End(StreamEnd::Closed),
            Either::Left((Err(error), _)) => return Next::End(StreamEnd::UpstreamFailed(error.to_string())),
            Either::Right(_) => {}
        }
        waited += pause;
        if waited >= patience {
            let silent = || StreamEnd::UpstreamFailed(format!("silent for {} s", patience.as_secs()));
            return Next::End(if is_complete { StreamEnd::Closed } else { silent() });
        }
        pump.write(HEARTBEAT_FRAME).await;
        if pump.is_gone() && !keep_on {
            return Next::End(StreamEnd::ClientGone);
        }
    }
}
