//! The operations on certificates.

use super::*;
use crate::service::tree::Output;
use base64::Engine as _;

fn no_certificate(arn: &str) -> ApiError {
    ApiError::new("ResourceNotFoundException", format!("Could not find certificate {arn}."))
}

fn check_arn(arn: &str) -> Result<(), ApiError> {
    if arn.starts_with("arn:aws:acm:") && arn.contains(":certificate/") {
        return Ok(());
    }
    Err(ApiError::new("InvalidArnException", format!("Invalid ARN: {arn}")))
}

fn find<'a>(world: &'a World, input: &Json) -> Result<&'a Certificate, ApiError> {
    let arn = input.text("CertificateArn").unwrap_or_default();
    check_arn(arn)?;
    world.acm.certificates.get(arn).ok_or_else(|| no_certificate(arn))
}

fn find_mut<'a>(world: &'a mut World, input: &Json) -> Result<&'a mut Certificate, ApiError> {
    let arn = input.text("CertificateArn").unwrap_or_default();
    check_arn(arn)?;
    world.acm.certificates.get_mut(arn).ok_or_else(|| no_certificate(arn))
}

fn new_arn(world: &mut World) -> String {
    let id = world.uuid();
    world.arn("acm", &format!("certificate/{id}"))
}

fn serial(world: &mut World) -> String {
    let digits = world.hex(32);
    let pairs: Vec<&str> = (0..16).map(|i| &digits[2 * i..2 * i + 2]).collect();
    pairs.join(":")
}

fn valid_name(name: &str) -> bool {
    let bare = name.strip_prefix("*.").unwrap_or(name);
    let label_ok = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
    };
    bare.contains('.') && bare.len() <= 253 && bare.split('.').all(label_ok)
}

pub fn request(world: &mut World, input: &Json) -> Answer {
    let domain = input.text("DomainName").unwrap_or_default().to_lowercase();
    let mut names = vec![domain.clone()];
    for name in input.texts("SubjectAlternativeNames") {
        let name = name.to_lowercase();
        if !names.contains(&name) {
            names.push(name);
        }
    }
    if let Some(bad) = names.iter().find(|name| !valid_name(name)) {
        return Err(ApiError::new(
            "InvalidParameterException",
            format!("The domain name {bad} is not valid: it must be a fully qualified domain name."),
        ));
    }
    // "A default quota of 10 domain names for each certificate" (ACM quotas).
    if names.len() > 10 {
        return Err(ApiError::new(
            "LimitExceededException",
            "Error: the certificate exceeds the quota of 10 domain names.",
        ));
    }
    let token = input.text("IdempotencyToken").map(str::to_owned);
    // The token holds for one hour (API reference).
    let again = world.acm.certificates.values().find(|certificate| {
        token.is_some()
            && certificate.token == token
            && certificate.names == names
            && world.now - certificate.created < 60 * MINUTE
    });
    if let Some(certificate) = again {
        return Ok(json!({ "CertificateArn": certificate.arn }));
    }
    let arn = new_arn(world);
    let options = input.get("Options").cloned().unwrap_or_default();
    let certificate = Certificate {
        arn: arn.clone(),
        domain,
        names,
        status: "PENDING_VALIDATION".to_owned(),
        kind: "AMAZON_ISSUED".to_owned(),
        validation_method: input.text("ValidationMethod").unwrap_or("EMAIL").to_owned(),
        validations: BTreeMap::new(),
        created: world.now,
        issued: None,
        imported: None,
        not_before: None,
        not_after: None,
        key_algorithm: input.text("KeyAlgorithm").unwrap_or("RSA_2048").to_owned(),
        transparency_logging: options.text("CertificateTransparencyLoggingPreference") != Some("DISABLED"),
        token,
        serial: serial(world),
        issuer: None,
        body: None,
        chain: None,
        tags: checked_tags(input)?,
        used_by: BTreeSet::new(),
    };
    if certificate.validation_method == "DNS" {
        world.schedule(PREPARATION, world::Event::Acm(Event::Prepared { arn: arn.clone() }));
    }
    world.schedule(TIME_TO_VALIDATE, world::Event::Acm(Event::TimedOut { arn: arn.clone() }));
    world.acm.certificates.insert(arn.clone(), certificate);
    Ok(json!({ "CertificateArn": arn }))
}

fn validation_json(certificate: &Certificate, name: &str) -> Json {
    let validation = certificate.validations.get(name);
    let status = match validation {
        Some(validation) if validation.done => "SUCCESS",
        _ if certificate.status == "VALIDATION_TIMED_OUT" => "FAILED",
        _ => "PENDING_VALIDATION",
    };
    json!({
        "DomainName": name,
        "ValidationDomain": name.trim_start_matches("*."),
        "ValidationStatus": status,
        "ValidationMethod": certificate.validation_method,
    })
    .with(
        "ResourceRecord",
        validation.map(
            |validation| json!({ "Name": validation.record, "Type": "CNAME", "Value": validation.value }),
        ),
    )
}

fn time(millis: Option<Millis>) -> Option<Json> {
    millis.map(World::timestamp)
}

/// ACM renews what it issued and somebody uses.
fn renewal(certificate: &Certificate) -> &'static str {
    let issued = certificate.kind == "AMAZON_ISSUED" && certificate.issued.is_some();
    if issued && !certificate.used_by.is_empty() { "ELIGIBLE" } else { "INELIGIBLE" }
}

/// `aws:` is AWS's own (API reference, InvalidTagException; worded as seen).
fn checked_tags(input: &Json) -> Result<Tags, ApiError> {
    let given = tags(input.list("Tags"));
    if given.keys().any(|key| key.to_lowercase().starts_with("aws:")) {
        let message = "AWS internal tags cannot be changed with this API";
        return Err(ApiError::new("ValidationException", message));
    }
    Ok(given)
}

pub fn describe(world: &mut World, input: &Json) -> Answer {
    let certificate = find(world, input)?;
    let requested = certificate.kind == "AMAZON_ISSUED";
    let validations: Json = certificate.names.iter().map(|name| validation_json(certificate, name)).collect();
    let answer = json!({
        "CertificateArn": certificate.arn,
        "DomainName": certificate.domain,
        "SubjectAlternativeNames": certificate.names,
        "Subject": format!("CN={}", certificate.domain),
        "Issuer": certificate.issuer.as_deref().unwrap_or("Amazon"),
        "Status": certificate.status,
        "Type": certificate.kind,
        "KeyAlgorithm": certificate.key_algorithm,
        "SignatureAlgorithm": "SHA256WITHRSA",
        "InUseBy": certificate.used_by,
        "RenewalEligibility": renewal(certificate),
        "Options": {
            "CertificateTransparencyLoggingPreference":
                if certificate.transparency_logging { "ENABLED" } else { "DISABLED" },
            "Export": "DISABLED",
        },
    })
    .with("DomainValidationOptions", requested.then_some(validations))
    .with("CreatedAt", requested.then(|| World::timestamp(certificate.created)))
    .with("IssuedAt", time(certificate.issued))
    .with("ImportedAt", time(certificate.imported))
    .with("NotBefore", time(certificate.not_before))
    .with("NotAfter", time(certificate.not_after))
    .with("Serial", certificate.not_before.map(|_| certificate.serial.clone()));
    Ok(json!({ "Certificate": answer }))
}

/// "Default filtering returns only RSA_1024 and RSA_2048 certificates" (API reference of Filters).
fn listed(certificate: &Certificate, input: &Json) -> bool {
    let statuses = input.texts("CertificateStatuses");
    let includes = input.get("Includes").cloned().unwrap_or_default();
    let key_types = includes.texts("keyTypes");
    let key = certificate.key_algorithm.as_str();
    (statuses.is_empty() || statuses.contains(&certificate.status.as_str()))
        && if key_types.is_empty() {
            matches!(key, "RSA_1024" | "RSA_2048")
        } else {
            key_types.contains(&key)
        }
}

pub fn list(world: &mut World, input: &Json) -> Answer {
    if input.text("SortBy").is_some() != input.text("SortOrder").is_some() {
        return Err(ApiError::new("ValidationException", "SortBy and SortOrder must be given together."));
    }
    let mut found: Vec<&Certificate> =
        world.acm.certificates.values().filter(|certificate| listed(certificate, input)).collect();
    found.sort_by_key(|certificate| certificate.created);
    if input.text("SortOrder") == Some("DESCENDING") {
        found.reverse();
    }
    let all = found
        .into_iter()
        .map(|certificate| {
            json!({
                "CertificateArn": certificate.arn,
                "DomainName": certificate.domain,
                "SubjectAlternativeNameSummaries": certificate.names,
                "HasAdditionalSubjectAlternativeNames": false,
                "Status": certificate.status,
                "Type": certificate.kind,
                "KeyAlgorithm": certificate.key_algorithm,
                "InUse": !certificate.used_by.is_empty(),
                "Exported": false,
                "RenewalEligibility": renewal(certificate),
                "CreatedAt": World::timestamp(certificate.created),
            })
            .with("IssuedAt", time(certificate.issued))
            .with("ImportedAt", time(certificate.imported))
            .with("NotBefore", time(certificate.not_before))
            .with("NotAfter", time(certificate.not_after))
        })
        .collect();
    let limit = input.int("MaxItems").and_then(|n| usize::try_from(n).ok()).unwrap_or(100);
    let (summaries, next) = page(all, input.text("NextToken"), limit);
    Ok(json!({ "CertificateSummaryList": summaries }).with("NextToken", next))
}

pub fn get(world: &mut World, input: &Json) -> Answer {
    let certificate = find(world, input)?;
    if certificate.status == "PENDING_VALIDATION" {
        return Err(ApiError::new(
            "RequestInProgressException",
            format!("Certificate request {} is in progress.", certificate.arn),
        ));
    }
    // What Amazon would have issued is not made up: there is no key behind it.
    let body = certificate.body.clone().unwrap_or_else(|| pem(&certificate.serial));
    Ok(json!({ "Certificate": body }).with("CertificateChain", certificate.chain.clone()))
}

fn pem(content: &str) -> String {
    let text = base64::engine::general_purpose::STANDARD.encode(content);
    format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
}

pub fn delete(world: &mut World, input: &Json) -> Answer {
    let certificate = find(world, input)?;
    if !certificate.used_by.is_empty() {
        return Err(ApiError::new(
            "ResourceInUseException",
            format!("Certificate {} in account {} is in use.", certificate.arn, world.account),
        ));
    }
    let arn = certificate.arn.clone();
    world.acm.certificates.remove(&arn);
    Ok(json!({}))
}

/// Blobs are base64 text here; inside is PEM.
fn blob(input: &Json, name: &str) -> Option<String> {
    let bytes = base64::engine::general_purpose::STANDARD.decode(input.text(name)?).ok()?;
    String::from_utf8(bytes).ok()
}

pub fn import(world: &mut World, input: &Json) -> Answer {
    let invalid = |message: &str| ApiError::new("ValidationException", message);
    let body = blob(input, "Certificate")
        .ok_or_else(|| invalid("The certificate field contains more than one certificate or is not PEM."))?;
    let read = x509::parse(&body).ok_or_else(|| {
        invalid("Could not parse the certificate. It must be a valid PEM-encoded X.509 certificate.")
    })?;
    let key = blob(input, "PrivateKey").unwrap_or_default();
    if !key.contains("PRIVATE KEY-----") {
        return Err(invalid("The private key is not supported."));
    }
    let known = match input.text("CertificateArn") {
        None => None,
        Some(_) => {
            let certificate = find(world, input)?;
            if certificate.kind != "IMPORTED" {
                return Err(invalid("Certificates that ACM issued cannot be imported again."));
            }
            if !input.list("Tags").is_empty() {
                return Err(invalid("Tagging is not permitted on re-import."));
            }
            Some((certificate.arn.clone(), certificate.tags.clone(), certificate.used_by.clone()))
        }
    };
    let (arn, tags, used_by) = match known {
        Some(known) => known,
        None => (new_arn(world), checked_tags(input)?, BTreeSet::new()),
    };
    let certificate = Certificate {
        arn: arn.clone(),
        domain: read.domain,
        names: read.names,
        status: "ISSUED".to_owned(),
        kind: "IMPORTED".to_owned(),
        validation_method: String::new(),
        validations: BTreeMap::new(),
        created: world.now,
        issued: None,
        imported: Some(world.now),
        not_before: Some(read.not_before),
        not_after: Some(read.not_after),
        key_algorithm: read.key_algorithm,
        transparency_logging: false,
        token: None,
        serial: read.serial,
        issuer: Some(read.issuer),
        body: Some(body),
        chain: blob(input, "CertificateChain"),
        tags,
        used_by,
    };
    world.acm.certificates.insert(arn.clone(), certificate);
    Ok(json!({ "CertificateArn": arn }))
}

pub fn update_options(world: &mut World, input: &Json) -> Answer {
    let preference = input
        .get("Options")
        .and_then(|options| options.text("CertificateTransparencyLoggingPreference"))
        .map(|preference| preference == "ENABLED");
    let certificate = find_mut(world, input)?;
    if certificate.kind != "AMAZON_ISSUED" || certificate.status != "ISSUED" {
        return Err(ApiError::new(
            "InvalidStateException",
            format!("Certificate {} is not in a state that allows this.", certificate.arn),
        ));
    }
    certificate.transparency_logging = preference.unwrap_or(certificate.transparency_logging);
    Ok(json!({}))
}

pub fn add_tags(world: &mut World, input: &Json) -> Answer {
    let certificate = find_mut(world, input)?;
    let added = checked_tags(input)?;
    let new = added.keys().filter(|key| !certificate.tags.contains_key(*key)).count();
    if certificate.tags.len() + new > 50 {
        return Err(ApiError::new("TooManyTagsException", "A certificate can have no more than 50 tags."));
    }
    certificate.tags.extend(added);
    Ok(json!({}))
}

/// A tag given with its value goes only if the value fits (API reference).
pub fn remove_tags(world: &mut World, input: &Json) -> Answer {
    checked_tags(input)?;
    let certificate = find_mut(world, input)?;
    for tag in input.list("Tags") {
        let key = tag.text("Key").unwrap_or_default();
        let fits = match (certificate.tags.get(key), tag.text("Value")) {
            (Some(value), Some(given)) => value == given,
            _ => true,
        };
        if fits {
            certificate.tags.remove(key);
        }
    }
    Ok(json!({}))
}

pub fn list_tags(world: &mut World, input: &Json) -> Answer {
    let tags = find(world, input)?.tags.iter();
    // A tag need not have a value here.
    let tags: Json = tags
        .map(|(key, value)| json!({ "Key": key }).with("Value", (!value.is_empty()).then(|| value.clone())))
        .collect();
    Ok(json!({ "Tags": tags }))
}
