use super::*;

const BODY: &str = r#"{"a": 1.0e3 , "b":{"x":[1,  2]},"a":  12345678901234567890123,"é":null}"#;

#[test]
fn values_stay_as_they_were_written_and_the_last_of_a_name_wins() {
    let members = Members::parse(BODY).unwrap();
    assert_eq!(members.get("a"), Some("12345678901234567890123"));
    assert_eq!(members.with(&[]), r#"{"a":12345678901234567890123,"b":{"x":[1,  2]},"é":null}"#);
}

#[test]
fn members_are_replaced_in_place_added_at_the_end_and_left_out() {
    let members = Members::parse(BODY).unwrap();
    let changes = [("a", Some("1".to_owned())), ("b", None), ("new", Some("2".to_owned())), ("absent", None)];
    assert_eq!(members.with(&changes), r#"{"a":1,"é":null,"new":2}"#);
}

#[test]
fn only_objects_have_members() {
    for text in ["", "[]", "1", "{", "{}x", "null"] {
        assert!(Members::parse(text).is_none(), "{text}");
    }
    assert_eq!(Members::parse("{}").unwrap().with(&[]), "{}");
}

#[test]
fn looking_for_members_costs_no_more_however_many_are_sent() {
    let body = |n: usize| format!("{{{}}}", (0..n).map(|k| format!("\"k{k}\":0")).collect::<Vec<_>>().join(","));
    let steps = |n: usize| crate::operations::of(|| drop(Members::parse(&body(n))));
    // At most each of them against all before it.
    assert_eq!(steps(MOST_MEMBERS), MOST_MEMBERS * (MOST_MEMBERS - 1) / 2);
    assert_eq!(steps(100_000), steps(MOST_MEMBERS));
    assert!(Members::parse(&body(MOST_MEMBERS)).is_some() && Members::parse(&body(MOST_MEMBERS + 1)).is_none());
    let error = crate::ChatRequest::parse(body(100_000).as_bytes()).unwrap_err();
    assert!(error.message.contains("too many values"), "{error}");
    let error = crate::ChatRequest::parse(body(1_000).as_bytes()).unwrap_err();
    assert_eq!((error.field.as_str(), error.message.as_str()), ("", "has more than 128 members."));
    // The same name again and again is no way around it.
    let again = format!("{{{}}}", vec!["\"k\":0"; 1_000].join(","));
    assert!(Members::parse(&again).is_none());
}
