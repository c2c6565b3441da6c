//! As much of X.509 as an import needs: the subject's common name.

use base64::Engine as _;

/// The common name (2.5.4.3) of the first certificate in a PEM text. Issuer comes before subject in the
/// structure, so the last one counts.
pub fn common_name(pem: &str) -> Option<String> {
    const OID: [u8; 5] = [0x06, 0x03, 0x55, 0x04, 0x03];
    let (_, rest) = pem.split_once("-----BEGIN CERTIFICATE-----")?;
    let (body, _) = rest.split_once("-----END CERTIFICATE-----")?;
    let text: String = body.chars().filter(|c| !c.is_whitespace()).collect();
    let der = base64::engine::general_purpose::STANDARD.decode(text).ok()?;
    let at = der.windows(OID.len()).rposition(|window| window == OID)? + OID.len();
    // Behind the identifier: a string's tag, its length (short form: names have at most 64 characters).
    let length = usize::from(*der.get(at + 1)?);
    let name = der.get(at + 2..at + 2 + length)?;
    String::from_utf8(name.to_vec()).ok()
}
