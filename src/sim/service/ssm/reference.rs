//! Secrets of Secrets Manager by the names of parameters (Systems Manager User Guide, "Referencing Secrets
//! Manager secrets from Parameter Store parameters").

use super::*;
use crate::service::secretsmanager;

const PREFIX: &str = "/aws/reference/secretsmanager/";

/// The parameter that stands for a secret; none if the name is not of that kind. A version's id or a label
/// may follow the secret's name.
pub fn get(world: &mut World, name: &str, decrypt: bool) -> Option<Answer> {
    let id = name.strip_prefix(PREFIX)?;
    if !decrypt {
        let message = "WithDecryption flag must be True for retrieving a Secret Manager secret.";
        return Some(Err(ApiError::new("ValidationException", message)));
    }
    let (secret, which) = match id.split_once(':') {
        Some((secret, which)) => (secret, Some(which)),
        None => (id, None),
    };
    let found = secretsmanager::version(world, secret, which);
    Some(found.map(|found| parameter(world, name, &found)).ok_or_else(|| {
        let message = format!(
            "An error occurred (ParameterNotFound) when referencing Secrets Manager: Secret {name} not found."
        );
        ApiError::new("ParameterNotFound", message)
    }))
}

fn parameter(world: &World, name: &str, found: &secretsmanager::Found) -> Json {
    json!({
        "Parameter": {
            "Name": name,
            "Type": "SecureString",
            "Value": found.value,
            "Version": 0,
            "SourceResult": found.source.to_string(),
            "LastModifiedDate": found.created,
            "ARN": world.arn("ssm", &format!("parameter{name}")),
            "DataType": "text",
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_read_as_a_parameter() {
        let mut world = World::new("123456789012", "us-east-1", 1, 1_700_000_000_000);
        let (_, create) =
            secretsmanager::OPERATIONS.iter().find(|(name, _)| *name == "CreateSecret").expect("known");
        create(&mut world, &json!({"Name": "db", "SecretString": "s3cret"})).expect("created");
        let name = format!("{PREFIX}db");
        let found = get(&mut world, &name, true).expect("of that kind").expect("found");
        assert_eq!(found["Parameter"]["Value"], "s3cret");
        assert_eq!(
            get(&mut world, &name, false).expect("kind").expect_err("refused").code,
            "ValidationException"
        );
        let other = get(&mut world, &format!("{name}:AWSPREVIOUS"), true).expect("kind");
        assert_eq!(other.expect_err("no such version").code, "ParameterNotFound");
        assert!(get(&mut world, "/plain", true).is_none());
    }
}
