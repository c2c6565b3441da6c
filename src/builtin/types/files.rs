//! Files beside the configuration: what `local_file` and `local_sensitive_file` share.

use crate::aws::{AwsError, Job};
use crate::builtin::Context;
use crate::schema::{Attr, ID, Object, Str, attributes};
use crate::value::Value;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::Digest;
use std::io::Write;
use std::path::{Path, PathBuf};

attributes! {
    SHARED:
    CONTENT_BASE64SHA256: Str = computed("content_base64sha256");
    CONTENT_BASE64SHA512: Str = computed("content_base64sha512");
    CONTENT_MD5: Str = computed("content_md5");
    CONTENT_SHA1: Str = computed("content_sha1");
    CONTENT_SHA256: Str = computed("content_sha256");
    CONTENT_SHA512: Str = computed("content_sha512");
    FILENAME: Str = required("filename").replaces().doc("Relative to the environment's directory");
    SOURCE: Str = optional("source").replaces().doc("A file to copy");
}

pub fn is_permission(value: &Value) -> Result<(), String> {
    let good = |text: &str| (3..=4).contains(&text.len()) && text.bytes().all(|b| (b'0'..=b'7').contains(&b));
    if value.as_str().is_some_and(good) {
        Ok(())
    } else {
        Err("must be three or four octal digits, such as \"0644\"".to_owned())
    }
}

/// Exactly one of `names` must be there.
pub fn one_content(want: &Object, names: &'static [&'static str]) -> Vec<(&'static str, String)> {
    let given: Vec<&&str> = names.iter().filter(|name| want.has(name)).collect();
    let list = || names.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ");
    match given.as_slice() {
        [_] => Vec::new(),
        [] => vec![("", format!("one of {} must be set", list()))],
        [_, second, ..] => vec![(second, format!("only one of {} may be set", list()))],
    }
}

pub fn failed(what: &str, path: &Path, error: &std::io::Error) -> AwsError {
    AwsError::failed(what, "FileError", format!("cannot {what} `{}`: {error}", path.display()))
}

/// What the file shall hold.
fn content(cx: &Context, want: &Object) -> Result<Vec<u8>, AwsError> {
    let text = |name: &str| want.value(name).and_then(Value::as_str);
    if let Some(text) = text("sensitive_content").or_else(|| text("content")) {
        return Ok(text.as_bytes().to_vec());
    }
    if let Some(encoded) = text("content_base64") {
        let bad = |e: base64::DecodeError| AwsError::failed("create", "InvalidBase64", e.to_string());
        return STANDARD.decode(encoded).map_err(bad);
    }
    let source = cx.root.join(want.get(&SOURCE).unwrap_or_default());
    std::fs::read(&source).map_err(|e| failed("read", &source, &e))
}

/// The hash that is the file's id.
pub fn id_of(bytes: &[u8]) -> String {
    hex::encode(sha1::Sha1::digest(bytes))
}

pub fn set_hashes(object: &mut Object, bytes: &[u8]) {
    let (sha256, sha512) = (sha2::Sha256::digest(bytes), sha2::Sha512::digest(bytes));
    object
        .set(&ID, id_of(bytes))
        .set(&CONTENT_MD5, hex::encode(md5::Md5::digest(bytes)))
        .set(&CONTENT_SHA1, id_of(bytes))
        .set(&CONTENT_SHA256, hex::encode(sha256))
        .set(&CONTENT_SHA512, hex::encode(sha512))
        .set(&CONTENT_BASE64SHA256, STANDARD.encode(sha256))
        .set(&CONTENT_BASE64SHA512, STANDARD.encode(sha512));
}

/// Writes the file; the rows of its permissions differ by type.
pub fn create(
    cx: &Context,
    job: &Job<'_>,
    file: &Attr<Str>,
    directory: &Attr<Str>,
) -> Result<Object, AwsError> {
    let bytes = content(cx, job.want)?;
    let path = path(cx, job.want);
    let mode = |attr: &Attr<Str>| job.want.get(attr).and_then(|m| u32::from_str_radix(&m, 8).ok());
    write(&path, &bytes, mode(file).unwrap_or(0o600), mode(directory).unwrap_or(0o700))
        .map_err(|e| failed("write", &path, &e))?;
    let mut object = job.want.clone();
    set_hashes(&mut object, &bytes);
    Ok(object)
}

pub fn path(cx: &Context, object: &Object) -> PathBuf {
    cx.root.join(object.need(&FILENAME))
}

/// In a new file that takes the old one's place, so that nobody reads half of it, and no secret goes into a
/// file that others may read. The umask applies to the modes.
fn write(path: &Path, bytes: &[u8], mode: u32, directory_mode: u32) -> std::io::Result<()> {
    let directory = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, directory_mode);
    builder.create(directory)?;
    let mut temporary = tempfile::Builder::new();
    #[cfg(unix)]
    let permissions = <std::fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(mode);
    #[cfg(unix)]
    temporary.permissions(permissions);
    let mut file = temporary.tempfile_in(directory)?;
    file.write_all(bytes)?;
    file.persist(path).map_err(|e| e.error)?;
    Ok(())
}

/// Gone when the file is, or holds something else than was written.
pub fn read(cx: &Context, known: &Object) -> Result<Option<Object>, AwsError> {
    let path = path(cx, known);
    match std::fs::read(&path) {
        Ok(bytes) if id_of(&bytes) == known.id() => Ok(Some(known.clone())),
        Ok(_) => Ok(None),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed("read", &path, &error)),
    }
}

/// Only the file that we wrote: what others have put in its place, a replacement included, stays.
pub fn delete(cx: &Context, job: &Job<'_>) -> Result<(), AwsError> {
    // An old one of an unfinished replacement may have had another name.
    let path = path(cx, if job.live.has("filename") { job.live } else { job.want });
    match std::fs::read(&path) {
        Ok(bytes) if id_of(&bytes) == job.live.id() => {
            std::fs::remove_file(&path).map_err(|e| failed("remove", &path, &e))
        }
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(failed("read", &path, &error)),
        _ => Ok(()),
    }
}
