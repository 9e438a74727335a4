//! JSON Schemas as the providers want them: what they demand is added where it changes nothing, the rest is refused by name.
//!
//! Schemas are edited as text, so that the order of properties stays: models answer in that order.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::members::quoted;
use crate::model::Provider;
use crate::request::InvalidRequest;

/// What one provider takes where it guarantees that an answer follows a schema.
pub(crate) struct Guaranteed {
    provider: Provider,
    /// Keywords it refuses.
    refused: &'static [&'static str],
    /// Whether every property has to be required.
    all_required: bool,
    /// Whether `oneOf` is sent as `anyOf`, as the provider's own kits do: branches that exclude each other mean the same.
    one_of_is_any_of: bool,
    /// Whether more than one item at least can be asked for.
    counts_items: bool,
}

/// OpenAI with `strict: true` (<https://platform.openai.com/docs/guides/structured-outputs#supported-schemas>).
pub(crate) const OPENAI: Guaranteed = Guaranteed {
    provider: Provider::OpenAi,
    refused: &["allOf", "oneOf", "not", "if", "then", "else", "dependentRequired", "dependentSchemas"],
    all_required: true,
    one_of_is_any_of: false,
    counts_items: true,
};

/// Anthropic (<https://platform.claude.com/docs/en/build-with-claude/structured-outputs#json-schema-limitations>).
pub(crate) const ANTHROPIC: Guaranteed = Guaranteed {
    provider: Provider::Anthropic,
    refused: &[
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "multipleOf",
        "minLength",
        "maxLength",
        "maxItems",
        "uniqueItems",
        "minProperties",
        "maxProperties",
        "patternProperties",
        "propertyNames",
        "not",
        "if",
        "then",
        "else",
        "contains",
        "dependentRequired",
        "dependentSchemas",
    ],
    all_required: false,
    one_of_is_any_of: true,
    counts_items: false,
};

/// Members whose value is a schema, whose members are, or whose items are.
const SCHEMA: &[&str] = &["items", "not", "if", "then", "else", "contains", "additionalItems", "unevaluatedItems"];
const SCHEMAS_BY_NAME: &[&str] = &["properties", "$defs", "definitions", "patternProperties", "dependentSchemas"];
const LIST_OF_SCHEMAS: &[&str] = &["anyOf", "allOf", "oneOf", "prefixItems"];

impl Guaranteed {
    /// The schema with every object closed (`additionalProperties: false`).
    ///
    /// # Errors
    /// What the provider refuses, with its path below `at`.
    pub(crate) fn closed(&self, schema: &str, at: &str) -> Result<String, InvalidRequest> {
        if schema.len() > LONGEST {
            return Err(InvalidRequest::out_of_range(at, &format!("of at most {LONGEST} bytes")));
        }
        self.close_at(schema, &At { above: None, name: at, place: None })
    }

    fn close_at(&self, schema: &str, at: &At) -> Result<String, InvalidRequest> {
        let Some(mut members) = Ordered::parse(schema) else {
            return Ok(schema.to_owned());
        };
        let refuse = |name: &str| {
            let message = format!(
                "is not supported by {} in a schema that the answer must follow.",
                self.provider.display_name()
            );
            Err(InvalidRequest::unsupported(at.below(name).to_string(), message))
        };
        if let Some((name, _)) = members.0.iter().find(|(name, _)| self.refused.contains(&name.as_str())) {
            return refuse(name);
        }
        if members.text("$ref").is_some_and(|target| !target.starts_with("#/")) {
            // Another document, or the schema within itself.
            return refuse("$ref");
        }
        if !self.counts_items
            && members.value("minItems").is_some_and(|least| least.as_u64().is_none_or(|least| least > 1))
        {
            return refuse("minItems");
        }
        let kind = members.value("type");
        let is_object = match &kind {
            Some(Value::Array(kinds)) => kinds.iter().any(|kind| kind == "object"),
            Some(kind) => kind == "object",
            None => members.get("properties").is_some(),
        };
        if is_object {
            self.close(&mut members, at, kind.is_none())?;
        }
        for (name, value) in &mut members.0 {
            let at = at.below(name);
            if SCHEMA.contains(&name.as_str()) {
                *value = self.close_at(value, &at)?;
            } else if SCHEMAS_BY_NAME.contains(&name.as_str()) {
                if let Some(mut schemas) = Ordered::parse(value) {
                    for (name, schema) in &mut schemas.0 {
                        *schema = self.close_at(schema, &at.below(name))?;
                    }
                    *value = schemas.to_string();
                }
            } else if LIST_OF_SCHEMAS.contains(&name.as_str())
                && let Ok(schemas) = serde_json::from_str::<Vec<&RawValue>>(value)
            {
                let closed: Result<Vec<String>, InvalidRequest> = schemas
                    .iter()
                    .enumerate()
                    .map(|(index, schema)| self.close_at(schema.get(), &at.item(index)))
                    .collect();
                *value = format!("[{}]", closed?.join(","));
                if self.one_of_is_any_of && name == "oneOf" {
                    "anyOf".clone_into(name);
                }
            }
        }
        Ok(members.to_string())
    }

    fn close(&self, members: &mut Ordered, at: &At, is_untyped: bool) -> Result<(), InvalidRequest> {
        match members.value("additionalProperties") {
            Some(Value::Bool(false)) => {}
            None => members.0.push(("additionalProperties".into(), "false".into())),
            Some(_) => {
                let message = format!("must be false for {}.", self.provider.display_name());
                return Err(InvalidRequest::unsupported(at.below("additionalProperties").to_string(), message));
            }
        }
        if is_untyped {
            members.0.insert(0, ("type".into(), "\"object\"".into()));
        }
        if self.all_required {
            let properties = members.get("properties").and_then(Ordered::parse).unwrap_or_default();
            let required = members.value("required").unwrap_or_default();
            let required: BTreeSet<&str> =
                required.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            if let Some((name, _)) = properties.0.iter().find(|(name, _)| !required.contains(name.as_str())) {
                let message = format!(
                    "must name every property, `{name}` too, for {} with strict.",
                    self.provider.display_name()
                );
                return Err(InvalidRequest::unsupported(at.below("required").to_string(), message));
            }
        }
        Ok(())
    }
}

/// The longest schema that an answer may have to follow, in bytes: OpenAI takes 120,000 characters of names and 5,000 properties. It is
/// taken apart at each of its levels, of which there are 64 at most.
const LONGEST: usize = 512 * 1024;

/// Where something stands in a schema: written out when it is told, since names may be long and what is below them much.
struct At<'a> {
    above: Option<&'a At<'a>>,
    name: &'a str,
    /// The place in a list of this name.
    place: Option<usize>,
}

impl At<'_> {
    const fn below<'a>(&'a self, name: &'a str) -> At<'a> {
        At { above: Some(self), name, place: None }
    }

    const fn item(&self, place: usize) -> At<'_> {
        At { place: Some(place), ..At { above: self.above, name: self.name, place: None } }
    }
}

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(above) = self.above {
            write!(f, "{above}.")?;
        }
        // It is told to a client, who knows a name by its beginning.
        write!(f, "{:.80}", self.name)?;
        self.place.map_or(Ok(()), |place| write!(f, "[{place}]"))
    }
}

/// The schema of a tool's input as every provider takes it: an object, also where nothing says so.
///
/// # Errors
/// For a schema of something else.
pub(crate) fn of_input(schema: Option<&Value>, at: &str) -> Result<Value, InvalidRequest> {
    let mut schema = schema.cloned().unwrap_or_default();
    let Some(members) = schema.as_object_mut() else {
        return Ok(serde_json::json!({"type": "object", "properties": {}}));
    };
    match members.get("type") {
        Some(kind) if kind == "object" => {}
        None | Some(Value::Null) => {
            members.insert("type".into(), "object".into());
        }
        Some(_) => {
            return Err(InvalidRequest::unsupported(
                format!("{at}.type"),
                "must be object: a tool takes named values.",
            ));
        }
    }
    if !members.contains_key("properties") {
        members.insert("properties".into(), serde_json::json!({}));
    }
    Ok(schema)
}

/// An object's members in their order.
#[derive(Debug, Default)]
pub(crate) struct Ordered(Vec<(String, String)>);

impl Ordered {
    pub(crate) fn parse(json: &str) -> Option<Self> {
        serde_json::from_str(json).ok()
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn value(&self, name: &str) -> Option<Value> {
        serde_json::from_str(self.get(name)?).ok()
    }

    fn text(&self, name: &str) -> Option<String> {
        self.value(name)?.as_str().map(ToOwned::to_owned)
    }

    /// Replaces a member that is there.
    pub(crate) fn set(&mut self, name: &str, value: String) {
        self.0.retain(|(key, _)| key != name);
        self.0.push((name.to_owned(), value));
    }
}

impl fmt::Display for Ordered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (position, (name, value)) in self.0.iter().enumerate() {
            let comma = if position > 0 { "," } else { "" };
            write!(f, "{comma}{}:{value}", quoted(name))?;
        }
        f.write_str("}")
    }
}

impl<'de> Deserialize<'de> for Ordered {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Ordered;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Ordered, A::Error> {
                let mut members = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, Box<RawValue>>()? {
                    members.push((name, String::from(Box::<str>::from(value))));
                }
                Ok(Ordered(members))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}
