//! Requests as clients make them up: every part sound for OpenAI's shape, in every order.
#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "each test file uses its part of it; clippy knows #[test] functions, not their helpers"
)]

use proptest::prelude::*;
use serde_json::{Value, json};
use tollgate_providers::{ChatRequest, Endpoint, InvalidRequest, ModelRef, encode_request};

/// What is sent upstream for a request, as JSON.
pub fn sent(model: &str, request: &Value) -> Result<Value, InvalidRequest> {
    sent_with(model, request, None)
}

pub fn sent_with(model: &str, request: &Value, allowed: Option<u64>) -> Result<Value, InvalidRequest> {
    let mut body = json!({"model": model, "messages": [{"role": "user", "content": "Hi"}]});
    for (name, value) in request.as_object().unwrap() {
        body[name] = value.clone();
    }
    let request = ChatRequest::parse(body.to_string().as_bytes())?;
    let endpoint = Endpoint { base_url: "http://h".into(), api_key: "k".into() };
    let upstream = encode_request(&request, &ModelRef::parse(model).unwrap(), &endpoint, allowed)?;
    Ok(serde_json::from_str(&upstream.body).unwrap())
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        Just(" ".to_owned()),
        Just("\n\t ".to_owned()),
        Just("word ".to_owned()),
        Just("two words\n".to_owned()),
        "\\PC{0,12}",
    ]
}

fn content() -> impl Strategy<Value = Value> {
    let url = prop_oneof![
        Just("data:image/png;base64,iVBORw0="),
        Just("DATA:Image/JPG;charset=utf-8;BASE64,/9j/"),
        Just("https://example.com/a.png"),
        Just("data:image/gif;base64,R0lG"),
        Just("data:image/webp;base64,UklG"),
    ];
    let part = prop_oneof![
        4 => text().prop_map(|text| json!({"type": "text", "text": text})),
        1 => url.prop_map(|url| json!({"type": "image_url", "image_url": {"url": url}})),
    ];
    prop_oneof![
        3 => text().prop_map(Value::from),
        1 => prop::collection::vec(part, 0..4).prop_map(Value::from),
    ]
}

fn id() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("call_1".to_owned()),
        Just("call.1".to_owned()),
        Just("call 1".to_owned()),
        Just(String::new()),
        Just("b".to_owned())
    ]
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![60 => Just("look".to_owned()), 60 => Just("find_it".to_owned()), 1 => Just("a.b".to_owned()), 1 => Just("9to5".to_owned()), 1 => Just("x".repeat(65)), 1 => Just("mit Leerzeichen".to_owned())]
}

fn message() -> impl Strategy<Value = Vec<Value>> {
    let call = (id(), name(), prop_oneof![8 => Just(""), 8 => Just("{}"), 8 => Just("{\"a\":1}"), 1 => Just("[1]")])
        .prop_map(|(id, name, arguments)| json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}));
    // Calls with their results, in any order, and sometimes with one too few or a word between.
    let round = (text(), prop::collection::vec(call, 1..4), 0_u8..12, any::<bool>()).prop_map(|(said, calls, turn, between)| {
        let mut results: Vec<Value> = calls
            .iter()
            .map(|call| json!({"role": "tool", "tool_call_id": call["id"], "content": if turn % 2 == 0 { " " } else { "done" }}))
            .collect();
        if turn == 0 {
            results.pop();
        }
        if turn % 3 == 0 {
            results.reverse();
        }
        let mut round = vec![json!({"role": "assistant", "content": said, "tool_calls": calls})];
        if between {
            round.push(json!({"role": "user", "content": "while you wait"}));
        }
        round.extend(results);
        round
    });
    prop_oneof![
        4 => content().prop_map(|content| vec![json!({"role": "user", "content": content})]),
        3 => text().prop_map(|text| vec![json!({"role": "assistant", "content": text})]),
        1 => text().prop_map(|text| vec![json!({"role": "system", "content": text})]),
        2 => round,
    ]
}

fn schema() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!({"type": "string"})),
        Just(json!({"type": "integer"})),
        Just(json!({"enum": ["a", "b"]})),
        Just(json!({"type": ["string", "null"]})),
        Just(json!({"$ref": "#/$defs/x"})),
        Just(json!({"type": "object"})),
        Just(json!(true)),
    ];
    leaf.prop_recursive(3, 20, 3, |inner| {
        let additional = prop_oneof![4 => Just(None), 2 => Just(Some(false)), 1 => Just(Some(true))];
        let object =
            (prop::collection::btree_map("[a-c]", inner.clone(), 0..3), any::<bool>(), any::<bool>(), additional)
                .prop_map(|(properties, typed, required, additional)| {
                    let mut out = json!({"properties": properties});
                    if typed {
                        out["type"] = json!("object");
                    }
                    if required {
                        out["required"] = properties.keys().cloned().collect();
                    }
                    if let Some(additional) = additional {
                        out["additionalProperties"] = json!(additional);
                    }
                    out
                });
        prop_oneof![
            4 => object,
            1 => inner.clone().prop_map(|items| json!({"type": "array", "items": items})),
            1 => prop::collection::vec(inner.clone(), 1..3).prop_map(|any| json!({"anyOf": any})),
            1 => prop::collection::vec(inner, 1..3).prop_map(|one| json!({"oneOf": one})),
        ]
    })
}

fn tool() -> impl Strategy<Value = Value> {
    (name(), prop::option::of(schema()), any::<bool>()).prop_map(|(name, parameters, strict)| {
        let mut function = json!({"name": name, "strict": strict});
        if let Some(parameters) = parameters.filter(Value::is_object) {
            function["parameters"] = parameters;
        }
        json!({"type": "function", "function": function})
    })
}

/// A request.
pub fn request() -> impl Strategy<Value = Value> {
    let messages = (prop::collection::vec(message(), 1..6), 0_u8..8).prop_map(|(groups, begun)| {
        // Mostly somebody speaks first.
        let first = json!({"role": "user", "content": "Well?"});
        let first = (begun > 0).then_some(first);
        first.into_iter().chain(groups.concat()).collect::<Vec<_>>()
    });
    let choice = prop_oneof![
        Just(json!("auto")),
        Just(json!("none")),
        Just(json!("required")),
        name().prop_map(|name| json!({"type": "function", "function": {"name": name}})),
    ];
    let format = prop_oneof![
        Just(json!({"type": "text"})),
        Just(json!({"type": "json_object"})),
        (schema(), any::<bool>()).prop_map(|(schema, strict)| {
            let schema = if schema.is_object() { schema } else { json!({"type": "object"}) };
            json!({"type": "json_schema", "json_schema": {"name": "x", "strict": strict, "schema": schema}})
        }),
    ];
    let stop = prop::collection::vec(
        prop_oneof![Just(String::new()), Just("\n".to_owned()), Just("END".to_owned()), Just(" x".to_owned())],
        0..7,
    );
    let effort = prop_oneof![
        9 => prop_oneof![Just("none"), Just("minimal"), Just("low"), Just("high"), Just("xhigh")],
        1 => Just("odd"),
    ];
    let numbers = (
        prop::option::weighted(0.3, prop_oneof![Just(0.0), Just(1.0), 0.0..2.0]),
        prop::option::weighted(0.2, prop_oneof![Just(1.0), 0.0..1.0]),
        prop::option::of(any::<i64>()),
        prop::option::of(prop_oneof![Just(1_u64), Just(100), Just(200_000)]),
        prop::option::weighted(0.1, 1_u64..4),
        prop::option::weighted(0.1, -2.0..=2.0),
    );
    (
        messages,
        prop::option::of(prop::collection::vec(tool(), 0..4)),
        prop::option::weighted(0.3, choice),
        prop::option::of(format),
        prop::option::of(stop),
        prop::option::of(effort),
        prop::option::of(any::<bool>()),
        numbers,
    )
        .prop_map(
            |(
                messages,
                tools,
                choice,
                format,
                stop,
                effort,
                parallel,
                (temperature, top_p, seed, max_tokens, n, penalty),
            )| {
                let members = [
                    ("messages", Some(json!(messages))),
                    ("tools", tools.map(Value::from)),
                    ("tool_choice", choice),
                    ("response_format", format),
                    ("stop", stop.map(Value::from)),
                    ("reasoning_effort", effort.map(Value::from)),
                    ("parallel_tool_calls", parallel.map(Value::from)),
                    ("temperature", temperature.map(Value::from)),
                    ("top_p", top_p.map(Value::from)),
                    ("seed", seed.map(Value::from)),
                    ("max_tokens", max_tokens.map(Value::from)),
                    ("n", n.map(Value::from)),
                    ("presence_penalty", penalty.map(Value::from)),
                ];
                members
                    .into_iter()
                    .filter_map(|(name, value)| Some((name.to_owned(), value?)))
                    .collect::<serde_json::Map<_, _>>()
                    .into()
            },
        )
}

/// Every schema in a schema, with itself.
pub fn schemas(schema: &Value) -> Vec<&Value> {
    let mut out = vec![schema];
    let below = |name: &str| schema.get(name).into_iter();
    let maps = ["properties", "$defs", "definitions"]
        .into_iter()
        .flat_map(below)
        .filter_map(Value::as_object)
        .flat_map(|map| map.values());
    let lists = ["anyOf", "oneOf", "allOf"].into_iter().flat_map(below).filter_map(Value::as_array).flatten();
    for inner in maps.chain(lists).chain(below("items")) {
        out.extend(schemas(inner));
    }
    out
}

/// Checks that objects are closed.
pub fn unclosed(schema: &Value) -> Option<&Value> {
    schemas(schema).into_iter().find(|schema| {
        let is_object = schema.get("properties").is_some()
            || schema.get("type").is_some_and(|kind| {
                kind == "object" || kind.as_array().is_some_and(|kinds| kinds.contains(&json!("object")))
            });
        is_object && schema.get("additionalProperties") != Some(&json!(false))
    })
}
