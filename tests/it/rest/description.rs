//! The OpenAPI description that a node serves.

use serde_json::Value;

use crate::support::cluster::Cluster;

#[tokio::test]
async fn the_description_names_every_route_with_its_answers() {
    let cluster = Cluster::embedded().await;
    let api = cluster.rest("ann").get("/openapi.json").await.ok();
    let paths = api["paths"].as_object().unwrap();
    for path in [
        "/api/v1/users/me",
        "/api/v1/conversations",
        "/api/v1/conversations/{id}",
        "/api/v1/conversations/{id}/members",
        "/api/v1/conversations/{id}/members/{userId}",
        "/api/v1/conversations/{id}/messages",
        "/api/v1/conversations/{id}/events",
        "/api/v1/conversations/{id}/read",
        "/api/v1/conversations/{id}/delivered",
        "/api/v1/service/users",
        "/api/v1/service/conversations",
        "/api/v1/service/conversations/{id}/messages",
    ] {
        assert!(paths.contains_key(path), "{path}");
    }
    for (path, operations) in paths {
        for (method, operation) in operations.as_object().unwrap() {
            assert!(operation["responses"]["401"].is_object(), "{method} {path}");
            assert!(operation["security"][0].is_object(), "{method} {path}");
        }
    }
    every_reference_leads_somewhere(&api, &api);
}

fn every_reference_leads_somewhere(api: &Value, part: &Value) {
    if let Some(reference) = part["$ref"].as_str() {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(api.pointer(pointer).is_some(), "{reference}");
    }
    let parts: Vec<&Value> = match part {
        Value::Object(fields) => fields.values().collect(),
        Value::Array(items) => items.iter().collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => vec![],
    };
    for part in parts {
        every_reference_leads_somewhere(api, part);
    }
}
