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
