use super::*;

#[test]
fn a_token_is_read_from_either_field_and_has_to_fit_a_header() {
    for good in [
        r#"{"token":"t"}"#,
        r#"{"access_token":"t"}"#,
        r#"{"token":"t","access_token":"u","expires_in":300}"#,
    ] {
        let Authorization::Bearer(token) = token_in(good.as_bytes()).unwrap().authorization else {
            panic!("{good}")
        };
        assert_eq!(token, "t");
    }
    for bad in
        ["", "{}", r#"{"token":5}"#, r#"{"token":"s3cret\n"}"#, r#"{"token":"s3cret","expires_in":-1}"#]
    {
        let reason = token_in(bad.as_bytes()).err().unwrap();
        assert!(!reason.contains("s3cret"), "{reason}");
    }
}
