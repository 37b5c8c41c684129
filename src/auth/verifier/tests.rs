//! Tokens that must be believed, and tokens that must not.

use std::time::Duration;

use jsonwebtoken::EncodingKey;
use serde_json::{Value, json};

use super::*;
use crate::auth::Issuer;
use crate::config::{AuthSettings, Settings, Sources};
use crate::domain::{Timestamp, UserId};

const SECRET: &str = "0123456789abcdef0123456789abcdef";
/// The present second of these tests.
const NOW: i64 = 1_800_000_000;

struct Fixed;

impl Clock for Fixed {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix_ms(NOW * 1_000)
    }
}

fn settings() -> AuthSettings {
    Settings::load(&Sources::default()).unwrap().auth
}

fn verifier(settings: &AuthSettings) -> Verifier {
    Verifier::with_secret(&Secret::new(SECRET), ClaimRules::new(settings), Arc::new(Fixed))
}

fn part(json: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(json)
}

/// A token with exactly this header and these claims, signed with this key.
fn signed_with(key: &str, header: &str, claims: &str) -> String {
    let message = format!("{}.{}", part(header), part(claims));
    let key = EncodingKey::from_secret(key.as_bytes());
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::HS256).unwrap();
    format!("{message}.{signature}")
}

fn token(claims: &str) -> String {
    signed_with(SECRET, r#"{"alg":"HS256","typ":"JWT"}"#, claims)
}

fn ann(more: &Value) -> String {
    let mut claims = json!({"sub": "ann", "exp": NOW + 60});
    claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    token(&claims.to_string())
}

fn refused(token: &str) -> TokenRefused {
    verifier(&settings()).verify(token).unwrap_err()
}

#[test]
fn a_minted_token_is_believed_until_it_ends() {
    let settings = AuthSettings { issuer: Some("rookery".into()), audience: Some("chat".into()), ..settings() };
    let issuer = Issuer::new(&Secret::new(SECRET), &settings, Arc::new(Fixed));
    let token = issuer.mint(&UserId::parse("ann").unwrap(), Some("Ann"), Duration::from_secs(60)).unwrap();
    let identity = verifier(&settings).verify(&token).unwrap();
    assert_eq!((identity.user().as_str(), identity.profile.name.as_str()), ("ann", "Ann"));
    assert_eq!(identity.expires_at.unix_ms(), (NOW + 60) * 1_000);
    assert_eq!(identity.issued_at.unwrap().unix_ms(), NOW * 1_000);
    let ended = issuer.mint(&UserId::parse("ann").unwrap(), None, Duration::ZERO).unwrap();
    assert_eq!(verifier(&settings).verify(&ended), Err(TokenRefused::Expired));
    assert!(issuer.mint(&UserId::parse("ann").unwrap(), None, Duration::MAX).is_err());
}

#[test]
fn a_token_without_a_signature_of_ours_is_refused() {
    let claims = json!({"sub": "ann", "exp": NOW + 60}).to_string();
    for alg in ["none", "NONE", "None", "hs256", "HS384", "RS256", "ES256", ""] {
        let header = json!({ "alg": alg }).to_string();
        assert_eq!(refused(&signed_with(SECRET, &header, &claims)), TokenRefused::Header, "{alg}");
        assert_eq!(refused(&format!("{}.{}.", part(&header), part(&claims))), TokenRefused::Header, "{alg}");
    }
    let header = r#"{"alg":"HS256"}"#;
    assert_eq!(refused(&format!("{}.{}.", part(header), part(&claims))), TokenRefused::Signature);
    for key in ["another-secret", "", "-----BEGIN PUBLIC KEY-----"] {
        assert_eq!(refused(&signed_with(key, header, &claims)), TokenRefused::Signature);
    }
    let good = token(&claims);
    let (_, signature) = good.rsplit_once('.').unwrap();
    let other = format!("{}.{}.{signature}", part(header), part(&claims.replace("ann", "bob")));
    assert_eq!(refused(&other), TokenRefused::Signature);
}

#[test]
fn a_header_chooses_no_key() {
    let claims = json!({"sub": "ann", "exp": NOW + 60}).to_string();
    for kid in ["../../../../dev/null", "' UNION SELECT 'x'--", "http://evil.example/k", "", &"k".repeat(129)] {
        let header = json!({"alg": "HS256", "kid": kid}).to_string();
        assert_eq!(refused(&signed_with(SECRET, &header, &claims)), TokenRefused::Header, "{kid}");
    }
    for header in [r#"{"alg":"HS256","kid":7}"#, r#"{"alg":"HS256","alg":"HS256"}"#, r#"{"typ":"JWT"}"#, "[]", "{"] {
        assert_eq!(refused(&signed_with(SECRET, header, &claims)), TokenRefused::Malformed, "{header}");
    }
    let critical = r#"{"alg":"HS256","crit":["b64"],"b64":false}"#;
    assert_eq!(refused(&signed_with(SECRET, critical, &claims)), TokenRefused::Header);
    // Keys that the sender offers are not looked at: only ours counts.
    let offered =
        r#"{"alg":"HS256","jku":"http://evil.example/jwks","jwk":{"kty":"oct","k":"eA"},"x5u":"http://evil.example"}"#;
    assert_eq!(refused(&signed_with("x", offered, &claims)), TokenRefused::Signature);
    assert!(verifier(&settings()).verify(&signed_with(SECRET, offered, &claims)).is_ok());
}

#[test]
fn what_is_no_token_is_refused() {
    for text in ["", ".", "..", "a.b", "a.b.c", "a.b.c.d", "é.é.é", "ey.ey.ey", &"a".repeat(4_096)] {
        assert_eq!(refused(text), TokenRefused::Malformed, "{text}");
    }
    assert_eq!(refused(&"a".repeat(4_097)), TokenRefused::TooLong);
    for claims in
        ["", "[]", "null", "{", r#"{"sub":"ann","exp":9999999999,"sub":"bob"}"#, r#"{"exp":1,"exp":9999999999}"#]
    {
        assert_eq!(refused(&token(claims)), TokenRefused::Malformed, "{claims}");
    }
    let padded = ann(&json!({})) + "=";
    assert_eq!(refused(&padded), TokenRefused::Signature);
}

#[test]
fn an_end_is_required_and_is_a_whole_number() {
    assert_eq!(refused(&ann(&json!({"exp": NOW}))), TokenRefused::Expired);
    assert_eq!(refused(&ann(&json!({"exp": -1}))), TokenRefused::Expired);
    assert_eq!(refused(&token(r#"{"sub":"ann"}"#)), TokenRefused::Claim("exp is missing"));
    for exp in
        ["\"99999999999\"", "99999999999.5", "9223372036854775808", "253402300800", "1e30", "null", "[1]", "true"]
    {
        let claims = format!(r#"{{"sub":"ann","exp":{exp}}}"#);
        assert!(matches!(refused(&token(&claims)), TokenRefused::Claim(_)), "{exp}");
    }
    assert!(matches!(refused(&ann(&json!({"nbf": "9999999999"}))), TokenRefused::Claim(_)));
    assert!(matches!(refused(&ann(&json!({"iat": "now"}))), TokenRefused::Claim(_)));
    assert_eq!(refused(&ann(&json!({"nbf": NOW + 1}))), TokenRefused::NotYet);
    assert!(verifier(&settings()).verify(&ann(&json!({"nbf": NOW}))).is_ok());
}

#[test]
fn the_leeway_moves_both_ends() {
    let settings = AuthSettings { leeway_ms: 1_500, ..settings() };
    let verifier = verifier(&settings);
    let identity = verifier.verify(&ann(&json!({"exp": NOW - 1, "nbf": NOW + 1}))).unwrap();
    assert_eq!(identity.expires_at.unix_ms(), (NOW - 1) * 1_000);
    assert_eq!(identity.ends_at.unix_ms(), NOW * 1_000 + 500);
    assert_eq!(verifier.verify(&ann(&json!({"exp": NOW - 2}))), Err(TokenRefused::Expired));
    assert_eq!(verifier.verify(&ann(&json!({"nbf": NOW + 2}))), Err(TokenRefused::NotYet));
}

#[test]
fn issuer_and_audience_must_fit_where_they_are_configured() {
    let configured = AuthSettings { issuer: Some("me".into()), audience: Some("chat".into()), ..settings() };
    let verifier = verifier(&configured);
    for good in [json!({"iss": "me", "aud": "chat"}), json!({"iss": "me", "aud": ["other", "chat"]})] {
        assert!(verifier.verify(&ann(&good)).is_ok(), "{good}");
    }
    for bad in [
        json!({}),
        json!({"iss": "me"}),
        json!({"aud": "chat"}),
        json!({"iss": "you", "aud": "chat"}),
        json!({"iss": ["me"], "aud": "chat"}),
        json!({"iss": "me", "aud": "chats"}),
        json!({"iss": "me", "aud": []}),
        json!({"iss": "me", "aud": [["chat"]]}),
    ] {
        assert!(matches!(verifier.verify(&ann(&bad)), Err(TokenRefused::Claim(_))), "{bad}");
    }
    assert!(self::verifier(&settings()).verify(&ann(&json!({"iss": "any", "aud": 7}))).is_ok());
}

#[test]
fn the_first_claim_that_names_the_user_decides() {
    let user = |claims: &str| verifier(&settings()).verify(&token(claims)).map(|identity| identity.user().to_string());
    let end = NOW + 60;
    for (claims, id) in [
        (format!(r#"{{"exp":{end},"userId":"b","sub":"a"}}"#), "a"),
        (format!(r#"{{"exp":{end},"_id":"d","id":"c"}}"#), "c"),
        (format!(r#"{{"exp":{end},"sub":null,"user_id":"e"}}"#), "e"),
        (format!(r#"{{"exp":{end},"id":42}}"#), "42"),
        (format!(r#"{{"exp":{end},"sub":"auth0|507f"}}"#), "auth0|507f"),
    ] {
        assert_eq!(user(&claims).as_deref(), Ok(id), "{claims}");
    }
    for sub in ["\"me\"", "\"deleted\"", "\"\"", "\"a b\"", "{}", "1.5", "true", "[\"ann\"]"] {
        let claims = format!(r#"{{"exp":{end},"sub":{sub},"userId":"ann"}}"#);
        assert!(matches!(user(&claims), Err(TokenRefused::Claim(_))), "{sub}");
    }
    assert!(matches!(user(&format!(r#"{{"exp":{end}}}"#)), Err(TokenRefused::Claim(_))));
}

#[test]
fn what_a_token_tells_of_its_user_is_bounded() {
    let profile = |more: &Value| verifier(&settings()).verify(&ann(more)).unwrap().profile;
    assert_eq!(profile(&json!({})).name, "ann");
    assert_eq!(profile(&json!({"username": "annie"})).name, "annie");
    assert_eq!(profile(&json!({"name": " A\u{0}n\nn "})).name, "Ann");
    assert_eq!(profile(&json!({"name": "é".repeat(300)})).name.chars().count(), 200);
    assert_eq!(profile(&json!({"name": 7, "username": ["x"]})).name, "ann");
    let long = profile(&json!({"avatar": "a".repeat(2_049), "email": "e".repeat(321)}));
    assert_eq!((long.avatar, long.email), (None, None));
    let kept = profile(&json!({"avatar": "https://a/b.png", "email": "ann@example.com"}));
    assert_eq!(kept.avatar.as_deref(), Some("https://a/b.png"));
    assert_eq!(kept.email.as_deref(), Some("ann@example.com"));
}
