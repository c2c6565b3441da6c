use super::evaluate::holds;
use super::expression::Scope;
use super::values::Decimal;
use super::*;
use crate::service::call;

fn try_it(world: &mut World, operation: &str, input: Json) -> Answer {
    call(world, "dynamodb", operation, &input)
}

fn ok(world: &mut World, operation: &str, input: Json) -> Json {
    try_it(world, operation, input).unwrap_or_else(|error| panic!("{operation}: {error:?}"))
}

fn pass(world: &mut World, millis: Millis) {
    world.advance_to(world.now + millis);
}

/// As Terraform's S3 backend wants its lock table.
fn world() -> World {
    let mut world = World::new("123456789012", "us-east-1", 1, 1_700_000_000_000);
    let input = json!({
        "TableName": "locks", "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": "LockID", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "LockID", "KeyType": "HASH"}],
    });
    let made = ok(&mut world, "CreateTable", input);
    assert_eq!(made["TableDescription"]["TableStatus"], "CREATING");
    pass(&mut world, 10 * SECOND);
    world
}

fn lock(info: &str) -> Json {
    json!({
        "TableName": "locks", "ConditionExpression": "attribute_not_exists(LockID)",
        "Item": {"LockID": {"S": "state/env.tfstate"}, "Info": {"S": info}},
    })
}

#[test]
fn only_one_client_gets_the_lock() {
    let mut world = world();
    ok(&mut world, "PutItem", lock("mine"));
    let refused = try_it(&mut world, "PutItem", lock("theirs")).expect_err("locked");
    assert_eq!(refused.code, "ConditionalCheckFailedException");
    let key = json!({"LockID": {"S": "state/env.tfstate"}});
    let get = json!({"TableName": "locks", "Key": key, "ProjectionExpression": "LockID, Info"});
    assert_eq!(ok(&mut world, "GetItem", get)["Item"]["Info"]["S"], "mine");
    ok(&mut world, "DeleteItem", json!({"TableName": "locks", "Key": key}));
    ok(&mut world, "PutItem", lock("theirs"));
}

#[test]
fn expressions_mean_what_the_guide_says() {
    let item = json!({
        "id": {"S": "a"}, "count": {"N": "10"}, "tags": {"SS": ["x", "y"]},
        "deep": {"M": {"steps": {"L": [{"N": "1"}, {"S": "two"}]}}},
    });
    let item = item.as_object().expect("an object").clone();
    let values = json!({
        ":nine": {"N": "9"}, ":ten": {"N": "10.0"}, ":x": {"S": "x"}, ":two": {"S": "two"}, ":t": {"S": "t"},
        ":kind": {"S": "SS"},
    });
    for (expression, expected) in [
        ("#c > :nine AND #c = :ten", true),
        ("#c BETWEEN :nine AND :ten", true),
        ("#c IN (:nine, :x)", false),
        ("NOT (#c < :nine OR attribute_exists(absent))", true),
        ("contains(tags, :x) and deep.steps[1] = :two", true),
        ("begins_with(deep.steps[1], :t)", true),
        ("size(tags) < :nine", true),
        ("attribute_type(tags, :kind)", true),
        ("absent = :x", false),
        ("absent <> :x", true),
    ] {
        let input = json!({
            "ConditionExpression": expression, "ExpressionAttributeNames": {"#c": "count"},
            "ExpressionAttributeValues": values,
        });
        let scope = Scope::of(&input, false).expect("names and values are right");
        let condition =
            scope.condition(&input, "ConditionExpression").expect("it parses").expect("there is one");
        assert_eq!(holds(&item, &condition), expected, "{expression}");
    }
    for wrong in
        ["a =", "a ! b", "nothing(a)", "a = :unknown", "#u = :x", "a = :x :x", "name = :x", "((a = :x))", ""]
    {
        let input = json!({"ConditionExpression": wrong, "ExpressionAttributeValues": values});
        let scope = Scope::of(&input, false).expect("names and values are right");
        let error = scope.condition(&input, "ConditionExpression").expect_err("it is wrong");
        assert!(error.message.starts_with("Invalid ConditionExpression: "), "{}", error.message);
    }
}

#[test]
fn updates_change_parts_of_an_item() {
    let mut world = world();
    let update = json!({
        "TableName": "locks", "Key": {"LockID": {"S": "n"}}, "ReturnValues": "ALL_NEW",
        "UpdateExpression": "SET visits = if_not_exists(visits, :zero) + :one, who = :who ADD friends :names REMOVE earlier",
        "ExpressionAttributeValues": {":zero": {"N": "0"}, ":one": {"N": "1"}, ":who": {"S": "w"}, ":names": {"SS": ["a"]}},
    });
    ok(&mut world, "UpdateItem", update.clone());
    let after = ok(&mut world, "UpdateItem", update)["Attributes"].clone();
    assert_eq!((&after["visits"]["N"], &after["friends"]["SS"]), (&json!("2"), &json!(["a"])));
    let key = json!({
        "TableName": "locks", "Key": {"LockID": {"S": "n"}}, "UpdateExpression": "SET LockID = :x",
        "ExpressionAttributeValues": {":x": {"S": "m"}},
    });
    assert!(try_it(&mut world, "UpdateItem", key).expect_err("the key").message.contains("part of the key"));
}

#[test]
fn queries_are_in_order_of_the_sort_key() {
    let mut world = world();
    let input = json!({
        "TableName": "events", "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions":
            [{"AttributeName": "p", "AttributeType": "S"}, {"AttributeName": "s", "AttributeType": "N"}],
        "KeySchema": [{"AttributeName": "p", "KeyType": "HASH"}, {"AttributeName": "s", "KeyType": "RANGE"}],
    });
    ok(&mut world, "CreateTable", input);
    let early = json!({"TableName": "events", "Key": {"p": {"S": "a"}, "s": {"N": "1"}}});
    let refused = try_it(&mut world, "GetItem", early).expect_err("not active yet");
    assert_eq!(refused.code, "ResourceNotFoundException");
    pass(&mut world, 10 * SECOND);
    for number in ["10", "9", "100"] {
        let item = json!({"p": {"S": "a"}, "s": {"N": number}});
        ok(&mut world, "PutItem", json!({"TableName": "events", "Item": item}));
    }
    let query = json!({
        "TableName": "events", "KeyConditionExpression": "p = :p AND s >= :low", "Limit": 2,
        "ExpressionAttributeValues": {":p": {"S": "a"}, ":low": {"N": "1"}},
    });
    let first = ok(&mut world, "Query", query.clone());
    let sorts = |answer: &Json| -> Vec<String> {
        answer.list("Items").iter().map(|one| one["s"]["N"].as_str().expect("a number").to_owned()).collect()
    };
    assert_eq!(sorts(&first), ["9", "10"]);
    let mut next = query;
    next["ExclusiveStartKey"] = first["LastEvaluatedKey"].clone();
    assert_eq!(sorts(&ok(&mut world, "Query", next)), ["100"]);
    assert_eq!(ok(&mut world, "Scan", json!({"TableName": "events"}))["Count"], 3);
}

#[test]
fn a_transaction_is_all_or_nothing() {
    let mut world = world();
    ok(&mut world, "PutItem", lock("mine"));
    let mut second = lock("again");
    second["Item"]["LockID"] = json!({"S": "other"});
    let both = json!({"TransactItems": [{"Put": second}, {"Put": lock("theirs")}]});
    let refused = try_it(&mut world, "TransactWriteItems", both).expect_err("one is locked");
    assert!(refused.message.ends_with("[None, ConditionalCheckFailed]"), "{}", refused.message);
    assert_eq!(ok(&mut world, "Scan", json!({"TableName": "locks"}))["Count"], 1);
}

#[test]
fn a_deleted_table_is_gone_after_a_while() {
    let mut world = world();
    let named = json!({"TableName": "locks"});
    assert_eq!(ok(&mut world, "DeleteTable", named.clone())["TableDescription"]["TableStatus"], "DELETING");
    pass(&mut world, 10 * SECOND);
    assert_eq!(
        try_it(&mut world, "DescribeTable", named).expect_err("gone").code,
        "ResourceNotFoundException"
    );
}

#[test]
fn numbers_are_exact() {
    let sum = |a: &str, b: &str| {
        let of = |text| Decimal::parse(text).expect("a number");
        of(a).plus(of(b)).map(Decimal::shown)
    };
    assert_eq!(sum("0.1", "0.2").as_deref(), Ok("0.3"));
    assert_eq!(sum("100", "-88.3").as_deref(), Ok("11.7"));
    assert_eq!(sum("1e-003", "+1E6").as_deref(), Ok("1000000.001"));
    assert_eq!(sum("100000000000000000000", "-0.99999999").as_deref(), Ok("99999999999999999999.00000001"));
    assert_eq!(sum("-0.0", "000.50").as_deref(), Ok("0.5"));
    assert!(sum("1e60", "1").expect_err("too precise").contains("38 significant digits"));
    for wrong in ["", "-", ".", "1.23 ", "inf", "1e", "0x1", "1e126", "1e-131"] {
        assert!(Decimal::parse(wrong).is_err(), "{wrong}");
    }
    let ordered = ["-1e100", "-2", "-1.5", "0", "1e-100", "0.3", "12", "1e100"];
    for pair in ordered.windows(2) {
        let [a, b] = [pair[0], pair[1]].map(|text| Decimal::parse(text).expect("a number"));
        assert!(a < b, "{pair:?}");
    }
}

/// A table with a global index over `team` and `score`, and some items.
fn scores() -> World {
    let mut world = world();
    let kinds = [("player", "S"), ("team", "S"), ("score", "N")];
    let input = json!({
        "TableName": "scores", "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions":
            kinds.map(|(name, kind)| json!({"AttributeName": name, "AttributeType": kind})),
        "KeySchema": [{"AttributeName": "player", "KeyType": "HASH"}],
        "GlobalSecondaryIndexes": [{
            "IndexName": "best", "Projection": {"ProjectionType": "KEYS_ONLY"},
            "KeySchema":
                [{"AttributeName": "team", "KeyType": "HASH"}, {"AttributeName": "score", "KeyType": "RANGE"}],
        }],
    });
    ok(&mut world, "CreateTable", input);
    pass(&mut world, 10 * SECOND);
    for (player, score) in [("a", "10"), ("b", "9"), ("c", "100"), ("d", "10.0")] {
        let item = json!({
            "player": {"S": player}, "team": {"S": "red"}, "score": {"N": score}, "note": {"S": "x"},
        });
        ok(&mut world, "PutItem", json!({"TableName": "scores", "Item": item}));
    }
    let without = json!({"TableName": "scores", "Item": {"player": {"S": "e"}, "team": {"S": "red"}}});
    ok(&mut world, "PutItem", without);
    world
}

#[test]
fn an_index_has_what_has_its_keys_in_their_order_page_by_page() {
    let mut world = scores();
    let mut query = json!({
        "TableName": "scores", "IndexName": "best", "KeyConditionExpression": "team = :t", "Limit": 3,
        "ExpressionAttributeValues": {":t": {"S": "red"}}, "ScanIndexForward": false,
    });
    let players = |answer: &Json| -> Vec<String> {
        let of = |one: &Json| one["player"]["S"].as_str().expect("a text").to_owned();
        answer.list("Items").iter().map(of).collect()
    };
    let first = ok(&mut world, "Query", query.clone());
    assert_eq!(players(&first), ["c", "d", "a"]);
    assert_eq!(first["Items"][0], json!({"player": {"S": "c"}, "team": {"S": "red"}, "score": {"N": "100"}}));
    // Whoever is gone in between is still where the next page begins.
    ok(&mut world, "DeleteItem", json!({"TableName": "scores", "Key": {"player": {"S": "a"}}}));
    query["ExclusiveStartKey"] = first["LastEvaluatedKey"].clone();
    assert_eq!(players(&ok(&mut world, "Query", query)), ["b"]);
    let wrong = json!({
        "TableName": "scores", "IndexName": "best", "KeyConditionExpression": "score = :t",
        "ExpressionAttributeValues": {":t": {"N": "1"}},
    });
    let refused = try_it(&mut world, "Query", wrong).expect_err("without the partition key");
    assert_eq!(refused.message, "Query condition missed key schema element: team");
    let empty = json!({"TableName": "scores", "Item": {"player": {"S": "f"}, "team": {"S": ""}}});
    assert!(try_it(&mut world, "PutItem", empty).expect_err("no key").message.ends_with("IndexKey: team"));
}

#[test]
fn what_a_failed_condition_found_is_told_on_request() {
    let mut world = world();
    ok(&mut world, "PutItem", lock("mine"));
    let mut second = lock("theirs");
    second["ReturnValuesOnConditionCheckFailure"] = json!("ALL_OLD");
    let refused = try_it(&mut world, "PutItem", second.clone()).expect_err("locked");
    let details = refused.details.expect("the item that is there");
    assert_eq!(details["Item"]["Info"]["S"], "mine");
    let refused = try_it(&mut world, "TransactWriteItems", json!({"TransactItems": [{"Put": second}]}));
    let reasons = refused.expect_err("locked").details.expect("a reason for each item");
    assert_eq!(reasons["CancellationReasons"][0]["Item"]["Info"]["S"], "mine");
    assert_eq!(reasons["CancellationReasons"][0]["Code"], "ConditionalCheckFailed");
}

#[test]
fn a_transaction_with_a_token_is_done_once() {
    let mut world = world();
    let count = |by: &str| {
        json!({"ClientRequestToken": "t-1", "TransactItems": [{"Update": {
            "TableName": "locks", "Key": {"LockID": {"S": "n"}}, "UpdateExpression": "ADD visits :n",
            "ExpressionAttributeValues": {":n": {"N": by}},
        }}]})
    };
    ok(&mut world, "TransactWriteItems", count("1"));
    ok(&mut world, "TransactWriteItems", count("1"));
    let other = try_it(&mut world, "TransactWriteItems", count("2")).expect_err("another request");
    assert_eq!(other.code, "IdempotentParameterMismatchException");
    let get = json!({"TransactItems": [{"Get": {"TableName": "locks", "Key": {"LockID": {"S": "n"}}}}]});
    assert_eq!(ok(&mut world, "TransactGetItems", get.clone())["Responses"][0]["Item"]["visits"]["N"], "1");
    pass(&mut world, 700 * SECOND);
    ok(&mut world, "TransactWriteItems", count("1"));
    assert_eq!(ok(&mut world, "TransactGetItems", get)["Responses"][0]["Item"]["visits"]["N"], "2");
}

#[test]
fn a_switch_of_before_is_recovery_from_the_tables_first_day() {
    let mut world = world();
    for (saved, status) in [(json!(true), "ENABLED"), (json!(false), "DISABLED")] {
        let mut table =
            serde_json::to_value(&world.dynamodb.tables["locks"]).expect("a table is saved as JSON");
        let members = table.as_object_mut().expect("an object");
        members.remove("recovery");
        members.insert("backups".to_owned(), saved);
        let table: Table = serde_json::from_value(table).expect("it is read");
        world.dynamodb.tables.insert("locks".to_owned(), table);
        let answer = ok(&mut world, "DescribeContinuousBackups", json!({"TableName": "locks"}));
        let told = &answer["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"];
        assert_eq!(told["PointInTimeRecoveryStatus"], status);
    }
}
