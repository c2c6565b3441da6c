use super::*;
use base64::Engine as _;

fn world() -> World {
    World::new("123456789012", "us-east-1", 1, 1_700_000_000_000)
}

fn call(world: &mut World, operation: &str, input: Json) -> Answer {
    let (_, handler) = OPERATIONS.iter().find(|(name, _)| *name == operation).expect("operation");
    handler(world, &input)
}

fn route53(world: &mut World, operation: &str, input: Json) -> Json {
    let mut operations = route53::OPERATIONS.iter();
    let (_, handler) = operations.find(|(name, _)| *name == operation).expect("operation");
    handler(world, &input).expect("done")
}

fn requested() -> (World, Json) {
    let mut world = world();
    let input = json!({
        "DomainName": "example.com", "SubjectAlternativeNames": ["*.example.com"], "ValidationMethod": "DNS",
        "IdempotencyToken": "once",
    });
    let made = call(&mut world, "RequestCertificate", input.clone()).expect("requested");
    assert_eq!(call(&mut world, "RequestCertificate", input).expect("again"), made);
    (world, made)
}

#[test]
fn a_certificate_is_issued_when_its_record_is_there() {
    let (mut world, arn) = requested();
    let early = call(&mut world, "DescribeCertificate", arn.clone()).expect("described");
    assert!(early["Certificate"]["DomainValidationOptions"][0].get("ResourceRecord").is_none());
    world.advance_to(world.now + 5_000);
    let soon = call(&mut world, "DescribeCertificate", arn.clone()).expect("described");
    let options = &soon["Certificate"]["DomainValidationOptions"];
    assert_eq!(options[0]["ResourceRecord"], options[1]["ResourceRecord"]);
    let record = options[0]["ResourceRecord"].clone();
    let zone =
        route53(&mut world, "CreateHostedZone", json!({ "Name": "example.com", "CallerReference": "1" }));
    let set = json!({
        "Name": record["Name"], "Type": "CNAME", "TTL": 60, "ResourceRecords": [{ "Value": record["Value"] }],
    });
    let change = json!({
        "HostedZoneId": zone["HostedZone"]["Id"],
        "ChangeBatch": { "Changes": [{ "Action": "CREATE", "ResourceRecordSet": set }] },
    });
    route53(&mut world, "ChangeResourceRecordSets", change);
    let pending = call(&mut world, "DescribeCertificate", arn.clone()).expect("described");
    assert_eq!(pending["Certificate"]["Status"], "PENDING_VALIDATION");
    world.advance_to(world.now + 60_000);
    let issued = call(&mut world, "DescribeCertificate", arn.clone()).expect("described");
    assert_eq!(issued["Certificate"]["Status"], "ISSUED");
    assert_eq!(issued["Certificate"]["DomainValidationOptions"][1]["ValidationStatus"], "SUCCESS");
    assert!(usable(&world, arn["CertificateArn"].as_str().expect("arn")));
}

#[test]
fn a_request_that_nobody_validates_times_out() {
    let (mut world, arn) = requested();
    world.advance_to(world.now + TIME_TO_VALIDATE);
    let late = call(&mut world, "DescribeCertificate", arn).expect("described");
    assert_eq!(late["Certificate"]["Status"], "VALIDATION_TIMED_OUT");
}

#[test]
fn a_certificate_in_use_is_not_deleted() {
    let (mut world, arn) = requested();
    let text = arn["CertificateArn"].as_str().expect("arn").to_owned();
    used_by_balancers(&mut world, [(text, ["lb".to_owned()].into())].into());
    let error = call(&mut world, "DeleteCertificate", arn.clone()).expect_err("in use");
    assert_eq!(error.code, "ResourceInUseException");
    used_by_balancers(&mut world, BTreeMap::new());
    call(&mut world, "DeleteCertificate", arn.clone()).expect("deleted");
    let error = call(&mut world, "DescribeCertificate", arn).expect_err("gone");
    assert_eq!(error.code, "ResourceNotFoundException");
}

#[test]
fn lists_show_rsa_certificates_unless_asked_for_others() {
    let (mut world, _) = requested();
    let input =
        json!({ "DomainName": "ec.example.com", "ValidationMethod": "DNS", "KeyAlgorithm": "EC_prime256v1" });
    call(&mut world, "RequestCertificate", input).expect("requested");
    let plain = call(&mut world, "ListCertificates", json!({})).expect("listed");
    assert_eq!(plain["CertificateSummaryList"].as_array().map(Vec::len), Some(1));
    let both = json!({ "Includes": { "keyTypes": ["RSA_2048", "EC_prime256v1"] } });
    let both = call(&mut world, "ListCertificates", both).expect("listed");
    assert_eq!(both["CertificateSummaryList"].as_array().map(Vec::len), Some(2));
    let issued =
        call(&mut world, "ListCertificates", json!({ "CertificateStatuses": ["ISSUED"] })).expect("listed");
    assert_eq!(issued["CertificateSummaryList"], json!([]));
}

#[test]
fn an_import_takes_its_name_from_the_certificate() {
    let mut world = world();
    let encode = |bytes: &[u8]| base64::engine::general_purpose::STANDARD.encode(bytes);
    // Made by `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:secp384r1`.
    let pem = "-----BEGIN CERTIFICATE-----\n\
               MIIB+jCCAYGgAwIBAgIUGhHgdONLDxqUmYvOJ6clPmcYzRAwCgYIKoZIzj0EAwIw\n\
               IzESMBAGA1UEAwwJc2hvcC50ZXN0MQ0wCwYDVQQKDARTaG9wMB4XDTI2MTEyMTE3\n\
               MTIyNVoXDTM2MTExODE3MTIyNVowIzESMBAGA1UEAwwJc2hvcC50ZXN0MQ0wCwYD\n\
               VQQKDARTaG9wMHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEdK628aFTLZuXp9BvcSUu\n\
               kbp16E5KCdjUuPIWOvDZCEFq0FEZOVMlvEQGlUOgFzzll14LPircd/x67Qzg4PlG\n\
               IZa3DAhfez3RvqgUvjdb3r/SvM9/RjC8eSfjw79orZ5xo3YwdDAdBgNVHQ4EFgQU\n\
               QCtZB5zeoxYyMBPvIUsUi7/oMQcwHwYDVR0jBBgwFoAUQCtZB5zeoxYyMBPvIUsU\n\
               i7/oMQcwDwYDVR0TAQH/BAUwAwEB/zAhBgNVHREEGjAYgglzaG9wLnRlc3SCCyou\n\
               c2hvcC50ZXN0MAoGCCqGSM49BAMCA2cAMGQCMB5V+xZgQcFmunf8wXj6DWbYmSL3\n\
               NwhZ0rj/gGQZngg9FRu4B63yBZF2rCWxL2tiMAIwAztlnmo4X3qiAdjJQ7Wxue64\n\
               iDBRmFrpIE2WBPeJtZkWLH53Hyd5nHx5zWFdvINZ\n\
               -----END CERTIFICATE-----";
    let key = encode(b"-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n");
    let input = json!({ "Certificate": encode(pem.as_bytes()), "PrivateKey": key });
    let arn = call(&mut world, "ImportCertificate", input).expect("imported");
    let described = call(&mut world, "DescribeCertificate", arn.clone()).expect("described");
    assert_eq!(described["Certificate"]["DomainName"], "shop.test");
    assert_eq!(described["Certificate"]["SubjectAlternativeNames"], json!(["shop.test", "*.shop.test"]));
    assert_eq!(described["Certificate"]["KeyAlgorithm"], "EC_secp384r1");
    assert_eq!(described["Certificate"]["Issuer"], "shop.test");
    assert_eq!(described["Certificate"]["Type"], "IMPORTED");
    assert!(described["Certificate"].get("DomainValidationOptions").is_none());
    assert_eq!(call(&mut world, "GetCertificate", arn).expect("got")["Certificate"], pem);
}
