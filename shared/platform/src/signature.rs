//! Other parties' signatures, verified by the runtime's `WebCrypto`: RSA and elliptic curves in native code instead of in WASM.

use js_sys::{Array, JSON, Uint8Array};
use serde_json::{Map, Value};
use tollgate_domain::federation::Algorithm;
use wasm_bindgen::{JsValue, prelude::wasm_bindgen};

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = ["crypto", "subtle"], js_name = importKey, catch)]
    async fn import_key(
        format: &str,
        key: &JsValue,
        algorithm: &JsValue,
        extractable: bool,
        uses: &JsValue,
    ) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(js_namespace = ["crypto", "subtle"], js_name = verify, catch)]
    async fn subtle_verify(
        algorithm: &JsValue,
        key: &JsValue,
        signature: &Uint8Array,
        data: &Uint8Array,
    ) -> Result<JsValue, JsValue>;
}

/// `WebCrypto`'s names: for the key, and for verifying.
const fn names(algorithm: Algorithm) -> (&'static str, &'static str) {
    match algorithm {
        Algorithm::Rs256 => (r#"{"name":"RSASSA-PKCS1-v1_5","hash":"SHA-256"}"#, r#"{"name":"RSASSA-PKCS1-v1_5"}"#),
        Algorithm::Ps256 => (r#"{"name":"RSA-PSS","hash":"SHA-256"}"#, r#"{"name":"RSA-PSS","saltLength":32}"#),
        Algorithm::Es256 => (r#"{"name":"ECDSA","namedCurve":"P-256"}"#, r#"{"name":"ECDSA","hash":"SHA-256"}"#),
        Algorithm::EdDsa => (r#"{"name":"Ed25519"}"#, r#"{"name":"Ed25519"}"#),
    }
}

/// Whether a public key (a JWK) has signed that. A key that the runtime does not take has signed nothing.
pub async fn is_good(algorithm: Algorithm, key: Map<String, Value>, signed: &[u8], signature: &[u8]) -> bool {
    verified(algorithm, key, signed, signature).await.is_ok_and(|value| value.is_truthy())
}

async fn verified(
    algorithm: Algorithm,
    key: Map<String, Value>,
    signed: &[u8],
    signature: &[u8],
) -> Result<JsValue, JsValue> {
    let (importing, verifying) = names(algorithm);
    let key = JSON::parse(&Value::Object(key).to_string())?;
    let uses = Array::of1(&JsValue::from_str("verify"));
    let key = import_key("jwk", &key, &JSON::parse(importing)?, false, &uses).await?;
    subtle_verify(&JSON::parse(verifying)?, &key, &Uint8Array::from(signature), &Uint8Array::from(signed)).await
}
