//! A user's public face.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::UserId;

/// What is known of a user, from tokens or from the service API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Profile {
    /// Whose profile this is.
    pub id: UserId,
    /// Display name; the id where none was ever given. ≤ 200 characters.
    pub name: String,
    /// Short name that some dialects show; `name` where none was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// URL of a picture. ≤ 2,048 bytes.
    pub avatar: Option<String>,
    /// Never shown to other users.
    #[serde(skip_serializing)]
    pub email: Option<String>,
}

/// The part of a profile that travels with every message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProfileCard {
    /// Who it is; `deleted` for an erased user, which no [`UserId`] can be: so a text.
    pub id: String,
    /// Display name.
    pub name: String,
    /// Short name for dialects that show one; not shown to native clients.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// URL of a picture.
    pub avatar: Option<String>,
}
