//! Whom a message names: those it lists, and those its text calls by `@userId`.

use std::collections::HashSet;

use crate::domain::{ChatError, Content, UserId};

/// Mentions of one message.
const MENTIONS_MAX: usize = 50;

/// Each once, those listed first. Whether they are members is seen where the message is written; who is none is left out there.
///
/// # Errors
/// `invalid` when more than 50 are listed, or one of them is no user id. What a text holds beyond 50 is not looked at.
pub(super) fn mentions(listed: &[String], content: &Content) -> Result<Vec<UserId>, ChatError> {
    if listed.len() > MENTIONS_MAX {
        return Err(ChatError::invalid("mentions names more than 50 users"));
    }
    let listed =
        listed.iter().map(|name| UserId::parse(name).map_err(|error| ChatError::invalid(format!("mentions: {error}"))));
    let listed = listed.collect::<Result<Vec<UserId>, ChatError>>()?;
    let text = match content {
        Content::Text(text) => text.as_str(),
        Content::Object(_) => "",
    };
    let mut seen = HashSet::new();
    let all = listed.into_iter().chain(called(text));
    Ok(all.filter(|user| seen.insert(user.clone())).take(MENTIONS_MAX).collect())
}

/// Whom a text calls. The signs that may end a user id may as well end a sentence, so `@bob.` calls both `bob.` and `bob`.
fn called(text: &str) -> impl Iterator<Item = UserId> {
    memchr::memchr_iter(b'@', text.as_bytes())
        .filter(|at| !text[..*at].ends_with(is_of_a_name))
        .flat_map(|at| {
            let name = &text[at + 1..];
            let name = &name[..name.find(|sign| !is_of_a_name(sign)).unwrap_or(name.len())];
            let bare = name.trim_end_matches(|sign: char| !sign.is_ascii_alphanumeric());
            [Some(name), (bare != name).then_some(bare)]
        })
        .flatten()
        .filter(|name| !name.starts_with('@'))
        .filter_map(|name| UserId::parse(name).ok())
}

fn is_of_a_name(sign: char) -> bool {
    sign.is_ascii_alphanumeric() || "._:@|-".contains(sign)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(listed: &[&str], text: &str) -> Vec<String> {
        let listed: Vec<String> = listed.iter().map(|name| (*name).to_owned()).collect();
        let users = mentions(&listed, &Content::Text(text.into())).unwrap();
        users.iter().map(UserId::to_string).collect()
    }

    #[test]
    fn whoever_is_listed_or_called_is_named_once() {
        assert_eq!(named(&["ann", "bob", "ann"], "@bob and @cid, @cid!"), ["ann", "bob", "cid"]);
        assert_eq!(named(&[], "(@ann) @bob @cid"), ["ann", "bob", "cid"]);
        assert_eq!(named(&[], "hi"), [""; 0]);
    }

    #[test]
    fn an_address_calls_nobody_and_the_end_of_a_sentence_hides_nobody() {
        assert_eq!(named(&[], "write to ann@example.org"), [""; 0]);
        assert_eq!(named(&[], "ask @bob."), ["bob.", "bob"]);
        assert_eq!(named(&[], "@auth0|5-7: yes"), ["auth0|5-7:", "auth0|5-7"]);
        assert_eq!(named(&[], "@ @@ @me é@bob @"), ["bob"]);
    }

    #[test]
    fn many_are_few_and_what_is_listed_must_be_sound() {
        let listed = vec!["ann".to_owned(); 51];
        assert!(mentions(&listed, &Content::Text("hi".into())).is_err());
        assert!(mentions(&["a b".to_owned()], &Content::Text("hi".into())).is_err());
        let crowd: String = (0..100).map(|number| format!("@u{number} ")).collect();
        assert_eq!(named(&[], &crowd).len(), 50);
    }
}
