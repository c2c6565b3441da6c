//! What EC2 data sources share: filters, and finding exactly one.

use crate::aws::types::ec2::filter;
use crate::aws::{AwsError, tags};
use crate::schema::{Attr, Blocks, Field, Object, StrMap, attributes};
use aws_sdk_ec2::types::{Filter, Tag};

pub mod filter_block {
    use super::attributes;
    attributes! {
        TABLE:
        NAME: Str = required("name");
        VALUES: StrSet = required("values");
    }
}

/// `filter { name = …, values = […] }`, as the EC2 API has them.
pub const FILTER: Attr<Blocks> = Attr::<Blocks>::optional("filter").set(&filter_block::TABLE);
/// Declared: what to look for; then what was found.
pub const TAGS: Attr<StrMap> = Attr::<StrMap>::optional_computed("tags");

/// Declared filters and tags.
pub fn filters(want: &Object) -> Vec<Filter> {
    let declared = want.all(&FILTER).into_iter().map(|f| {
        let values = f.all(&filter_block::VALUES);
        filter(&f.need(&filter_block::NAME), values)
    });
    let tagged = want.all(&TAGS).into_iter().map(|(key, value)| filter(&format!("tag:{key}"), [value]));
    declared.chain(tagged).collect()
}

/// A filter for a declared attribute, if it is declared.
pub fn declared<T: Field>(name: &str, want: &Object, attr: &Attr<T>) -> Option<Filter>
where
    T::Rust: ToString,
{
    want.get(attr).map(|v| v.to_string()).filter(|v| !v.is_empty()).map(|v| filter(name, [v]))
}

/// Sets `tags` to what people see.
pub fn set_tags(object: &mut Object, live: &[Tag]) {
    let visible = live
        .iter()
        .map(|t| (t.key().unwrap_or_default().to_owned(), t.value().unwrap_or_default().to_owned()))
        .filter(|(key, _)| tags::visible(key))
        .collect();
    object.set::<StrMap>(&TAGS, Some(visible));
}

/// None: all of them, where AWS takes no empty list.
pub fn some<T>(items: Vec<T>) -> Option<Vec<T>> {
    Some(items).filter(|i| !i.is_empty())
}

/// The only one found; else an error that says how many there are.
pub fn single<T>(operation: &str, what: &str, mut found: Vec<T>) -> Result<T, AwsError> {
    match (found.pop(), found.len()) {
        (Some(one), 0) => Ok(one),
        (None, _) => Err(AwsError::failed(operation, "NotFound", format!("no {what} matches"))),
        (Some(_), others) => {
            let message = format!("{} match where one {what} is wanted: narrow the filters", others + 1);
            Err(AwsError::failed(operation, "Ambiguous", message))
        }
    }
}
