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
        "deep": {"M": {"list": {"L": [{"N": "1"}, {"S": "two"}]}}},
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
        ("NOT (#c < :nine OR attribute_exists(missing))", true),
        ("contains(tags, :x) and deep.list[1] = :two", true),
        ("begins_with(deep.list[1], :t)", true),
        ("size(tags) < :nine", true),
        ("attribute_type(tags, :kind)", true),
        ("missing = :x", false),
        ("missing <> :x", true),
    ] {
        let input = json!({
            "ConditionExpression": expression, "ExpressionAttributeNames": {"#c": "count"},
            "ExpressionAttributeValues": values,
        });
        let result = expression::fits(&item, &input, "ConditionExpression").expect("it parses");
        assert_eq!(result, expected, "{expression}");
    }
    for wrong in ["a =", "a ! b", "nothing(a)", "a = :unknown", "#u = :x", "a = :x :x"] {
        let input = json!({"ConditionExpression": wrong, "ExpressionAttributeValues": values});
        let error = expression::fits(&item, &input, "ConditionExpression").expect_err("it is wrong");
        assert!(error.message.starts_with("Invalid ConditionExpression: "), "{}", error.message);
    }
}

#[test]
fn updates_change_parts_of_an_item() {
    let mut world = world();
    let update = json!({
        "TableName": "locks", "Key": {"LockID": {"S": "n"}}, "ReturnValues": "ALL_NEW",
        "UpdateExpression": "SET visits = if_not_exists(visits, :zero) + :one, who = :who ADD names :names REMOVE old",
        "ExpressionAttributeValues": {":zero": {"N": "0"}, ":one": {"N": "1"}, ":who": {"S": "w"}, ":names": {"SS": ["a"]}},
    });
    ok(&mut world, "UpdateItem", update.clone());
    let after = ok(&mut world, "UpdateItem", update)["Attributes"].clone();
    assert_eq!((&after["visits"]["N"], &after["names"]["SS"]), (&json!("2"), &json!(["a"])));
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
