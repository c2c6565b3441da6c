//! OpenID Connect providers, whose tokens AssumeRoleWithWebIdentity takes.

use super::*;
use crate::service::tree::Output;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Provider {
    /// Without scheme and query, as it stands in the ARN.
    pub(crate) url: String,
    clients: Vec<String>,
    thumbprints: Vec<String>,
    created: Millis,
    tags: Tags,
}

/// "You can register a maximum of 100 client IDs with a single IAM OIDC provider."
const MAX_CLIENTS: usize = 100;

fn not_found(arn: &str) -> ApiError {
    no_such_entity(format!("OpenIDConnect Provider not found for arn {arn}"))
}

fn find_mut<'a>(world: &'a mut World, input: &Json) -> Result<&'a mut Provider, ApiError> {
    let arn = required(input, "OpenIDConnectProviderArn")?;
    world.iam.providers.get_mut(arn).ok_or_else(|| not_found(arn))
}

fn find<'a>(world: &'a World, input: &Json) -> Result<&'a Provider, ApiError> {
    let arn = required(input, "OpenIDConnectProviderArn")?;
    world.iam.providers.get(arn).ok_or_else(|| not_found(arn))
}

fn checked_thumbprints(input: &Json) -> Result<Vec<String>, ApiError> {
    let thumbprints = input.texts("ThumbprintList");
    if thumbprints.len() > 5 {
        return Err(ApiError::new("InvalidInput", "Thumbprint list must contain fewer than 5 entries."));
    }
    Ok(thumbprints.into_iter().map(str::to_owned).collect())
}

pub fn create(world: &mut World, input: &Json) -> Answer {
    let given = required(input, "Url")?;
    let url = given.strip_prefix("https://").or_else(|| given.strip_prefix("http://"));
    let url = url.ok_or_else(|| ApiError::new("ValidationError", "Invalid Open ID Connect Provider URL"))?;
    let url = url.split('?').next().unwrap_or_default().trim_end_matches('/').to_owned();
    let thumbprints = checked_thumbprints(input)?;
    let clients: Vec<String> = input.texts("ClientIDList").into_iter().map(str::to_owned).collect();
    if clients.len() > MAX_CLIENTS {
        let message = format!("Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: {MAX_CLIENTS}");
        return Err(limit_exceeded(message));
    }
    let arn = world.arn("iam", &format!("oidc-provider/{url}"));
    if world.iam.providers.contains_key(&arn) {
        return Err(already_exists(format!("Provider with url {given} already exists.")));
    }
    let tags = new_tags(input)?;
    let answer =
        json!({ "OpenIDConnectProviderArn": arn }).with("Tags", (!tags.is_empty()).then(|| tag_list(&tags)));
    world.iam.providers.insert(arn, Provider { url, clients, thumbprints, created: world.now, tags });
    Ok(answer)
}

pub fn get(world: &mut World, input: &Json) -> Answer {
    let provider = find(world, input)?;
    Ok(json!({
        "Url": provider.url,
        "ClientIDList": provider.clients,
        "ThumbprintList": provider.thumbprints,
        "CreateDate": World::timestamp(provider.created),
        "Tags": tag_list(&provider.tags),
    }))
}

pub fn list(world: &mut World, _input: &Json) -> Answer {
    let all: Vec<Json> = world.iam.providers.keys().map(|arn| json!({ "Arn": arn })).collect();
    Ok(json!({ "OpenIDConnectProviderList": all }))
}

/// "It does not fail or return an error if you call the operation for a provider that does not exist."
pub fn delete(world: &mut World, input: &Json) -> Answer {
    world.iam.providers.remove(required(input, "OpenIDConnectProviderArn")?);
    Ok(json!({}))
}

pub fn update_thumbprints(world: &mut World, input: &Json) -> Answer {
    let thumbprints = checked_thumbprints(input)?;
    find_mut(world, input)?.thumbprints = thumbprints;
    Ok(json!({}))
}

pub fn add_client(world: &mut World, input: &Json) -> Answer {
    let client = required(input, "ClientID")?;
    let provider = find_mut(world, input)?;
    if !provider.clients.iter().any(|one| one == client) {
        provider.clients.push(client.to_owned());
    }
    Ok(json!({}))
}

pub fn remove_client(world: &mut World, input: &Json) -> Answer {
    let client = required(input, "ClientID")?;
    find_mut(world, input)?.clients.retain(|one| one != client);
    Ok(json!({}))
}

pub fn tag(world: &mut World, input: &Json) -> Answer {
    add_tags(&mut find_mut(world, input)?.tags, input)
}

pub fn untag(world: &mut World, input: &Json) -> Answer {
    remove_tags(&mut find_mut(world, input)?.tags, input)
}

pub fn list_tags(world: &mut World, input: &Json) -> Answer {
    tags_page(input, &find(world, input)?.tags)
}

/// The provider that issues tokens as this one says, if the account has it.
pub fn provider_of(world: &World, issuer: &str) -> Option<(String, Vec<String>)> {
    let url = issuer.trim_start_matches("https://").trim_end_matches('/');
    let found = world.iam.providers.iter().find(|(_, provider)| provider.url == url);
    found.map(|(arn, provider)| (arn.clone(), provider.clients.clone()))
}
