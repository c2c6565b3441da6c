//! The table of all functions: names, parameters, results. Sorted by name.

use super::T::*;
use super::{
    Call, Failure, Function, Lazy, Param, Returns, Run, T, collection as c, date, encoding, file, format,
    hash, ip, map, numeric, pattern, set, string, types, yaml,
};
use crate::value::{Type, Value};

type Body = fn(&Call) -> Result<Value, Failure>;
type TypeOf = fn(&[Value]) -> Result<Type, Failure>;

pub(super) const fn p(name: &'static str, ty: T) -> Param {
    Param::new(name, ty)
}

/// A function whose result is always of one type.
pub(super) const fn f(
    name: &'static str,
    doc: &'static str,
    params: &'static [Param],
    returns: T,
    run: Body,
) -> Function {
    Function {
        name,
        doc,
        params,
        rest: None,
        returns: Returns::Is(returns),
        nullable: false,
        run: Run::Plain(run),
    }
}

/// A function whose result's type depends on its arguments.
pub(super) const fn g(
    name: &'static str,
    doc: &'static str,
    params: &'static [Param],
    returns: TypeOf,
    run: Body,
) -> Function {
    Function {
        name,
        doc,
        params,
        rest: None,
        returns: Returns::Of(returns),
        nullable: false,
        run: Run::Plain(run),
    }
}

const fn lazy(
    name: &'static str,
    doc: &'static str,
    params: &'static [Param],
    rest: Option<Param>,
    run: Lazy,
) -> Function {
    Function { name, doc, params, rest, returns: Returns::Is(Any), nullable: true, run: Run::Lazy(run) }
}

impl Function {
    const fn rest(mut self, param: Param) -> Self {
        self.rest = Some(param);
        self
    }

    const fn nullable(mut self) -> Self {
        self.nullable = true;
        self
    }
}

/// Takes any value and looks into it itself.
const fn any(name: &'static str) -> Param {
    p(name, Any).null().unknown().dynamic().marked()
}

pub fn find(name: &str) -> Option<&'static Function> {
    FUNCTIONS.binary_search_by(|f| f.name.cmp(name)).ok().map(|i| &FUNCTIONS[i])
}

pub static FUNCTIONS: &[Function] = &[
    f("abs", "The number without its sign", &[p("number", Num)], Num, numeric::abs),
    f("abspath", "The path from the root of the file system", &[p("path", Str)], Str, file::abspath),
    f("alltrue", "Whether all elements are true", &[p("list", ListBool)], Bool, c::alltrue),
    f("anytrue", "Whether any element is true", &[p("list", ListBool)], Bool, c::anytrue),
    f("base64decode", "The text that was encoded in base64", &[p("str", Str)], Str, encoding::base64decode),
    f("base64encode", "The text in base64", &[p("str", Str)], Str, encoding::base64encode),
    f("base64gzip", "The text compressed with gzip, in base64", &[p("str", Str)], Str, encoding::base64gzip),
    f("base64sha256", "The SHA-256 digest in base64", &[p("str", Str)], Str, hash::base64sha256),
    f("base64sha512", "The SHA-512 digest in base64", &[p("str", Str)], Str, hash::base64sha512),
    f("basename", "The last part of a path", &[p("path", Str)], Str, file::basename),
    f("bcrypt", "A password hash", &[p("str", Str)], Str, hash::bcrypt).rest(p("cost", Num)),
    lazy("can", "Whether the expression can be evaluated", &[any("expression")], None, Lazy::Can),
    f("ceil", "The nearest whole number that is not smaller", &[p("number", Num)], Num, numeric::ceil),
    f("chomp", "The text without line ends at its end", &[p("string", Str)], Str, string::chomp),
    g(
        "chunklist",
        "The list in pieces of a size",
        &[p("list", ListAny).marked(), p("size", Num)],
        c::chunklist_type,
        c::chunklist,
    ),
    f("cidrhost", "An address in a network", &[p("prefix", Str), p("hostnum", Num)], Str, ip::cidrhost),
    f("cidrnetmask", "The mask of an IPv4 network", &[p("prefix", Str)], Str, ip::cidrnetmask),
    f(
        "cidrsubnet",
        "A network inside a network",
        &[p("prefix", Str), p("newbits", Num), p("netnum", Num)],
        Str,
        ip::cidrsubnet,
    ),
    f("cidrsubnets", "Consecutive networks inside a network", &[p("prefix", Str)], ListStr, ip::cidrsubnets)
        .rest(p("newbits", Num)),
    g(
        "coalesce",
        "The first argument that is neither null nor an empty string",
        &[],
        c::coalesce_type,
        c::coalesce,
    )
    .rest(p("vals", Any).null().unknown().dynamic()),
    g("coalescelist", "The first list that is not empty", &[], c::coalescelist_type, c::coalescelist)
        .rest(p("vals", Any).null().unknown().dynamic()),
    f("compact", "The list without nulls and empty strings", &[p("list", ListStr)], ListStr, c::compact),
    g("concat", "The lists one after the other", &[], c::concat_type, c::concat)
        .rest(p("seqs", Any).marked()),
    f("contains", "Whether the list has the value", &[p("list", Any), p("value", Any)], Bool, c::contains),
    g(
        "csvdecode",
        "The rows of CSV text as objects",
        &[p("str", Str)],
        encoding::csvdecode_type,
        encoding::csvdecode,
    ),
    f("dirname", "The path without its last part", &[p("path", Str)], Str, file::dirname),
    g("distinct", "The list with each value once", &[p("list", ListAny)], c::first_type, c::distinct),
    g(
        "element",
        "An element; the index goes round",
        &[p("list", Any).marked(), p("index", Num)],
        c::element_type,
        c::element,
    )
    .nullable(),
    f("endswith", "Whether the text ends so", &[p("str", Str), p("suffix", Str)], Bool, string::endswith),
    g(
        "ephemeralasnull",
        "The value with null for all that is ephemeral",
        &[any("value")],
        c::first_type,
        types::ephemeralasnull,
    )
    .nullable(),
    f("file", "The text of a file", &[p("path", Str)], Str, file::file),
    f("filebase64", "The content of a file in base64", &[p("path", Str)], Str, file::filebase64),
    f(
        "filebase64sha256",
        "The SHA-256 digest of a file in base64",
        &[p("path", Str)],
        Str,
        file::filebase64sha256,
    ),
    f(
        "filebase64sha512",
        "The SHA-512 digest of a file in base64",
        &[p("path", Str)],
        Str,
        file::filebase64sha512,
    ),
    f("fileexists", "Whether there is such a file", &[p("path", Str)], Bool, file::fileexists),
    f("filemd5", "The MD5 digest of a file", &[p("path", Str)], Str, file::filemd5),
    f(
        "fileset",
        "The files that match a pattern",
        &[p("path", Str), p("pattern", Str)],
        SetStr,
        file::fileset,
    ),
    f("filesha1", "The SHA-1 digest of a file", &[p("path", Str)], Str, file::filesha1),
    f("filesha256", "The SHA-256 digest of a file", &[p("path", Str)], Str, file::filesha256),
    f("filesha512", "The SHA-512 digest of a file", &[p("path", Str)], Str, file::filesha512),
    g("flatten", "All elements of lists in lists", &[p("list", Any).marked()], c::flatten_type, c::flatten),
    f("floor", "The nearest whole number that is not greater", &[p("number", Num)], Num, numeric::floor),
    f("format", "Text with the values put in", &[p("format", Str)], Str, format::format)
        .rest(p("args", Any).null().unknown()),
    f("formatdate", "A time in another form", &[p("format", Str), p("time", Str)], Str, date::formatdate),
    f(
        "formatlist",
        "Texts with the elements of lists put in",
        &[p("format", Str)],
        ListStr,
        format::formatlist,
    )
    .rest(p("args", Any).null().unknown()),
    f(
        "indent",
        "The text with all lines but the first moved to the right",
        &[p("spaces", Num), p("string", Str)],
        Str,
        string::indent,
    ),
    f("index", "The place of a value in a list", &[p("list", Any), p("value", Any)], Num, c::index),
    f("issensitive", "Whether the value is sensitive", &[any("value")], Bool, types::issensitive),
    f("join", "The elements with a separator between them", &[p("separator", Str)], Str, string::join)
        .rest(p("lists", ListStr)),
    g(
        "jsondecode",
        "The value that JSON text stands for",
        &[p("str", Str)],
        encoding::type_of_json,
        encoding::jsondecode,
    )
    .nullable(),
    f(
        "jsonencode",
        "The value as JSON text",
        &[p("val", Any).null().unknown().dynamic()],
        Str,
        encoding::jsonencode,
    ),
    g(
        "keys",
        "The keys of a map, sorted",
        &[p("inputMap", Any).unknown().marked()],
        map::keys_type,
        map::keys,
    ),
    f(
        "length",
        "The number of elements or characters",
        &[p("value", Any).unknown().dynamic().marked()],
        Num,
        c::length,
    ),
    f("log", "A logarithm", &[p("num", Num), p("base", Num)], Num, numeric::log),
    g(
        "lookup",
        "An element of a map or else a default",
        &[p("inputMap", Any).marked(), p("key", Str).marked()],
        map::lookup_type,
        map::lookup,
    )
    .rest(any("default"))
    .nullable(),
    f("lower", "The text in lower case", &[p("str", Str)], Str, string::lower),
    g(
        "matchkeys",
        "The values whose keys are among those searched",
        &[p("values", ListAny), p("keys", ListAny), p("searchset", ListAny)],
        c::first_type,
        c::matchkeys,
    ),
    f("max", "The greatest number", &[], Num, numeric::max).rest(p("numbers", Num)),
    f("md5", "The MD5 digest", &[p("str", Str)], Str, hash::md5),
    g("merge", "All entries of the maps; later ones win", &[], map::merge_type, map::merge)
        .rest(p("maps", Any).null().dynamic().marked()),
    f("min", "The least number", &[], Num, numeric::min).rest(p("numbers", Num)),
    g("nonsensitive", "The value, no longer sensitive", &[any("value")], c::first_type, types::nonsensitive)
        .nullable(),
    g("one", "The only element, or null", &[p("list", Any)], c::one_type, c::one).nullable(),
    g(
        "parseint",
        "The number that the digits stand for",
        &[p("number", Any), p("base", Num)],
        numeric::type_of_parseint,
        numeric::parseint,
    ),
    f("pathexpand", "The path with ~ replaced", &[p("path", Str)], Str, file::pathexpand),
    f("plantimestamp", "The time of the plan", &[], Str, date::plantimestamp),
    f("pow", "A power", &[p("num", Num), p("power", Num)], Num, numeric::pow),
    f("range", "A list of numbers", &[], ListNum, numeric::range).rest(p("params", Num)),
    g(
        "regex",
        "What of the text matches a pattern",
        &[p("pattern", Str), p("string", Str)],
        pattern::regex_type,
        pattern::regex,
    ),
    g(
        "regexall",
        "All that matches a pattern",
        &[p("pattern", Str), p("string", Str)],
        pattern::regexall_type,
        pattern::regexall,
    ),
    f(
        "replace",
        "The text with a part, or what matches /pattern/, replaced",
        &[p("str", Str), p("substr", Str), p("replace", Str)],
        Str,
        pattern::replace,
    ),
    g("reverse", "The list from its end", &[p("list", Any).marked()], c::reverse_type, c::reverse),
    f(
        "rsadecrypt",
        "The text that was encrypted for a key",
        &[p("ciphertext", Str), p("privatekey", Str)],
        Str,
        hash::rsadecrypt,
    ),
    g("sensitive", "The value, now sensitive", &[any("value")], c::first_type, types::sensitive).nullable(),
    g(
        "setintersection",
        "What is in all sets",
        &[p("first_set", SetAny)],
        set::union_type,
        set::setintersection,
    )
    .rest(p("other_sets", SetAny)),
    g("setproduct", "All combinations of elements", &[], set::setproduct_type, set::setproduct)
        .rest(p("sets", Any).unknown().marked()),
    g(
        "setsubtract",
        "What is in the first set only",
        &[p("a", SetAny), p("b", SetAny)],
        set::union_type,
        set::setsubtract,
    ),
    g("setunion", "What is in any of the sets", &[p("first_set", SetAny)], set::union_type, set::setunion)
        .rest(p("other_sets", SetAny)),
    f("sha1", "The SHA-1 digest", &[p("str", Str)], Str, hash::sha1),
    f("sha256", "The SHA-256 digest", &[p("str", Str)], Str, hash::sha256),
    f("sha512", "The SHA-512 digest", &[p("str", Str)], Str, hash::sha512),
    f("signum", "-1, 0 or 1: the sign of the number", &[p("number", Num)], Num, numeric::signum),
    g(
        "slice",
        "A part of the list",
        &[p("list", Any).marked(), p("start_index", Num), p("end_index", Num)],
        c::slice_type,
        c::slice,
    ),
    f("sort", "The strings in order", &[p("list", ListStr)], ListStr, c::sort),
    f("split", "The parts between separators", &[p("separator", Str), p("str", Str)], ListStr, string::split),
    f(
        "startswith",
        "Whether the text starts so",
        &[p("str", Str).unknown(), p("prefix", Str)],
        Bool,
        string::startswith,
    ),
    f(
        "strcontains",
        "Whether the text has the other in it",
        &[p("str", Str), p("substr", Str)],
        Bool,
        string::strcontains,
    ),
    f("strrev", "The text backwards", &[p("str", Str)], Str, string::strrev),
    f(
        "substr",
        "A part of the text",
        &[p("str", Str), p("offset", Num), p("length", Num)],
        Str,
        string::substr,
    ),
    f("sum", "The sum of the numbers", &[p("list", Any)], Num, numeric::sum),
    f(
        "templatefile",
        "A file as a template with variables",
        &[p("path", Str), p("vars", Any).marked()],
        Any,
        file::templatefile,
    ),
    lazy(
        "templatestring",
        "A string as a template with variables",
        &[p("template", Str), any("vars")],
        None,
        Lazy::TemplateString,
    ),
    f(
        "textdecodebase64",
        "The text that was encoded in a character set",
        &[p("source", Str), p("encoding", Str)],
        Str,
        encoding::textdecodebase64,
    ),
    f(
        "textencodebase64",
        "The text in a character set, in base64",
        &[p("string", Str), p("encoding", Str)],
        Str,
        encoding::textencodebase64,
    ),
    f("timeadd", "A time so much later", &[p("timestamp", Str), p("duration", Str)], Str, date::timeadd),
    f(
        "timecmp",
        "-1, 0 or 1: how two times follow",
        &[p("timestamp_a", Str), p("timestamp_b", Str)],
        Num,
        date::timecmp,
    ),
    f("timestamp", "The time of the apply", &[], Str, date::timestamp),
    f(
        "title",
        "The text with the first letter of each word in upper case",
        &[p("str", Str)],
        Str,
        string::title,
    ),
    f("tobool", "The value as a bool", &[any("v")], Bool, types::tobool).nullable(),
    f("tolist", "The value as a list", &[any("v")], ListAny, types::tolist).nullable(),
    f("tomap", "The value as a map", &[any("v")], Any, types::tomap).nullable(),
    f("tonumber", "The value as a number", &[any("v")], Num, types::tonumber).nullable(),
    f("toset", "The value as a set", &[any("v")], SetAny, types::toset).nullable(),
    f("tostring", "The value as a string", &[any("v")], Str, types::tostring).nullable(),
    f(
        "transpose",
        "The map with keys and values changed over",
        &[p("values", MapListStr)],
        MapListStr,
        map::transpose,
    ),
    f(
        "trim",
        "The text without these characters at its ends",
        &[p("str", Str), p("cutset", Str)],
        Str,
        string::trim,
    ),
    f(
        "trimprefix",
        "The text without the beginning",
        &[p("str", Str), p("prefix", Str)],
        Str,
        string::trimprefix,
    ),
    f("trimspace", "The text without blanks at its ends", &[p("str", Str)], Str, string::trimspace),
    f("trimsuffix", "The text without the end", &[p("str", Str), p("suffix", Str)], Str, string::trimsuffix),
    lazy("try", "The first expression that can be evaluated", &[], Some(any("expressions")), Lazy::Try),
    f("upper", "The text in upper case", &[p("str", Str)], Str, string::upper),
    f("urlencode", "The text as part of a URL", &[p("str", Str)], Str, encoding::urlencode),
    f("uuid", "A random identifier", &[], Str, hash::uuid),
    f("uuidv5", "An identifier made of a name", &[p("namespace", Str), p("name", Str)], Str, hash::uuidv5),
    g(
        "values",
        "The values of a map, in the order of its keys",
        &[p("mapping", Any).marked()],
        map::values_type,
        map::values,
    ),
    f("yamldecode", "The value that YAML text stands for", &[p("src", Str)], Any, yaml::yamldecode)
        .nullable(),
    f(
        "yamlencode",
        "The value as YAML text",
        &[p("value", Any).null().unknown().dynamic()],
        Str,
        yaml::yamlencode,
    ),
    g(
        "zipmap",
        "A map of keys and values",
        &[p("keys", ListStr).marked(), p("values", Any).marked()],
        map::zipmap_type,
        map::zipmap,
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_every_name_is_found() {
        assert!(FUNCTIONS.is_sorted_by(|a, b| a.name < b.name));
        assert!(FUNCTIONS.iter().all(|f| find(f.name).is_some_and(|found| found.name == f.name)));
        assert!(find("nofunc").is_none());
    }
}
