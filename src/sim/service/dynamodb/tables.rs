//! Tables.

use super::*;
use crate::service::page;

pub const CREATION: Millis = 6 * SECOND;
const DELETION: Millis = 4 * SECOND;
const CHANGE: Millis = 4 * SECOND;

/// Tables that were being deleted are gone after a while.
pub fn forget(world: &mut World) {
    let now = world.now;
    world.dynamodb.tables.retain(|_, table| !table.deleting || table.busy_until > now);
}

fn find<'a>(world: &'a mut World, input: &Json) -> Result<(String, &'a mut Table), ApiError> {
    forget(world);
    let name = name_of(input.text("TableName").unwrap_or_default()).to_owned();
    match world.dynamodb.tables.get_mut(&name) {
        Some(table) => Ok((name, table)),
        None => {
            let message = format!("Requested resource not found: Table: {name} not found");
            Err(ApiError::new("ResourceNotFoundException", message))
        }
    }
}

fn arn(world: &World, name: &str) -> String {
    world.arn("dynamodb", &format!("table/{name}"))
}

fn view(world: &World, name: &str) -> Json {
    let table = &world.dynamodb.tables[name];
    let now = world.now;
    let status = match () {
        () if table.deleting => "DELETING",
        () if now < table.created + CREATION => "CREATING",
        () if now < table.busy_until => "UPDATING",
        () => "ACTIVE",
    };
    let on_demand = table.settings.text("BillingMode") == Some("PAY_PER_REQUEST");
    let throughput = table.settings.get("ProvisionedThroughput");
    let units = |name: &str| throughput.and_then(|one| one.int(name)).unwrap_or(0);
    let size: usize = table.items.values().map(|item| json!(item).to_string().len()).sum();
    let mut view = json!({
        "TableName": name, "TableArn": arn(world, name), "TableId": table.id, "TableStatus": status,
        "AttributeDefinitions": table.settings["AttributeDefinitions"],
        "KeySchema": table.settings["KeySchema"], "CreationDateTime": World::timestamp(table.created),
        "ItemCount": table.items.len(), "TableSizeBytes": size,
        "ProvisionedThroughput": {
            "NumberOfDecreasesToday": 0, "ReadCapacityUnits": units("ReadCapacityUnits"),
            "WriteCapacityUnits": units("WriteCapacityUnits"),
        },
        "DeletionProtectionEnabled": table.settings.flag("DeletionProtectionEnabled").unwrap_or(false),
        "WarmThroughput": {"ReadUnitsPerSecond": 12000, "WriteUnitsPerSecond": 4000, "Status": "ACTIVE"},
    });
    if on_demand {
        view["BillingModeSummary"] = json!({"BillingMode": "PAY_PER_REQUEST"});
    }
    if let Some(class) = table.settings.text("TableClass") {
        view["TableClassSummary"] = json!({"TableClass": class});
    }
    if let Some(key) = table.settings.get("SSESpecification").filter(|one| one.flag("Enabled") == Some(true))
    {
        let usual = world.arn("kms", "alias/aws/dynamodb");
        view["SSEDescription"] = json!({
            "Status": "ENABLED", "SSEType": "KMS",
            "KMSMasterKeyArn": key.text("KMSMasterKeyId").unwrap_or(&usual),
        });
    }
    if let Some(stream) = table.settings.get("StreamSpecification") {
        view["StreamSpecification"] = stream.clone();
        if stream.flag("StreamEnabled") == Some(true) {
            let label = World::timestamp(table.created).as_str().unwrap_or_default().replace('Z', ".000");
            view["LatestStreamArn"] = json!(format!("{}/stream/{label}", arn(world, name)));
            view["LatestStreamLabel"] = json!(label);
        }
    }
    for kind in ["GlobalSecondaryIndexes", "LocalSecondaryIndexes"] {
        let indexes: Vec<Json> =
            table.settings.list(kind).iter().map(|one| index(world, name, kind, one)).collect();
        if !indexes.is_empty() {
            view[kind] = json!(indexes);
        }
    }
    view
}

fn index(world: &World, table: &str, kind: &str, given: &Json) -> Json {
    let name = given.text("IndexName").unwrap_or_default();
    let mut view = json!({
        "IndexName": name, "KeySchema": given["KeySchema"], "Projection": given["Projection"],
        "IndexArn": format!("{}/index/{name}", arn(world, table)), "IndexSizeBytes": 0, "ItemCount": 0,
    });
    if kind.starts_with("Global") {
        let throughput = given.get("ProvisionedThroughput");
        let units = |name: &str| throughput.and_then(|one| one.int(name)).unwrap_or(0);
        view["IndexStatus"] = json!("ACTIVE");
        view["ProvisionedThroughput"] = json!({
            "NumberOfDecreasesToday": 0, "ReadCapacityUnits": units("ReadCapacityUnits"),
            "WriteCapacityUnits": units("WriteCapacityUnits"),
        });
    }
    view
}

fn check(input: &Json) -> Result<(), ApiError> {
    let defined: Vec<&str> =
        input.list("AttributeDefinitions").iter().filter_map(|one| one.text("AttributeName")).collect();
    let schema = input.list("KeySchema");
    if schema.is_empty() {
        return Err(validation("No provided KeySchema"));
    }
    if schema[0].text("KeyType") != Some("HASH") {
        return Err(validation("Invalid KeySchema: The first KeySchemaElement is not a HASH key type"));
    }
    let indexes = ["GlobalSecondaryIndexes", "LocalSecondaryIndexes"];
    let of_indexes = indexes.iter().flat_map(|kind| input.list(kind)).flat_map(|one| one.list("KeySchema"));
    let used: Vec<&str> =
        schema.iter().chain(of_indexes).filter_map(|one| one.text("AttributeName")).collect();
    if used.iter().any(|name| !defined.contains(name)) {
        return Err(validation(
            "One or more parameter values were invalid: Some index key attributes are not defined in AttributeDefinitions.",
        ));
    }
    if defined.iter().any(|name| !used.contains(name)) {
        return Err(validation(
            "One or more parameter values were invalid: Number of attributes in KeySchema does not exactly match number of attributes defined in AttributeDefinitions",
        ));
    }
    let on_demand = input.text("BillingMode") == Some("PAY_PER_REQUEST");
    match (on_demand, input.get("ProvisionedThroughput")) {
        (true, Some(_)) => Err(validation(
            "One or more parameter values were invalid: Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST",
        )),
        (false, None) => Err(validation(
            "One or more parameter values were invalid: ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED",
        )),
        _ => Ok(()),
    }
}

pub fn create(world: &mut World, input: &Json) -> Answer {
    forget(world);
    let name = name_of(input.text("TableName").unwrap_or_default()).to_owned();
    if world.dynamodb.tables.contains_key(&name) {
        let message = format!("Table already exists: {name}");
        return Err(ApiError::new("ResourceInUseException", message));
    }
    check(input)?;
    let table = Table {
        id: world.uuid(),
        settings: input.clone(),
        tags: tags(input.list("Tags")),
        created: world.now,
        busy_until: world.now,
        deleting: false,
        ttl: None,
        backups: false,
        items: BTreeMap::new(),
    };
    world.dynamodb.tables.insert(name.clone(), table);
    Ok(json!({"TableDescription": view(world, &name)}))
}

pub fn describe(world: &mut World, input: &Json) -> Answer {
    let (name, _) = find(world, input)?;
    Ok(json!({"Table": view(world, &name)}))
}

pub fn list(world: &mut World, input: &Json) -> Answer {
    forget(world);
    let after = input.text("ExclusiveStartTableName").unwrap_or_default();
    let names: Vec<Json> =
        world.dynamodb.tables.keys().filter(|name| name.as_str() > after).map(|name| json!(name)).collect();
    let limit = input.int("Limit").unwrap_or(100).clamp(1, 100) as usize;
    let (names, more) = page(names, None, limit);
    let last = names.last().cloned().filter(|_| more.is_some());
    Ok(json!({"TableNames": names}).with("LastEvaluatedTableName", last))
}

fn settled(world: &World, name: &str) -> Result<(), ApiError> {
    let table = &world.dynamodb.tables[name];
    if table.deleting || world.now < table.created + CREATION || world.now < table.busy_until {
        let message =
            format!("Attempt to change a resource which is still in use: Table is being changed: {name}");
        return Err(ApiError::new("ResourceInUseException", message));
    }
    Ok(())
}

pub fn delete(world: &mut World, input: &Json) -> Answer {
    let (name, table) = find(world, input)?;
    if table.settings.flag("DeletionProtectionEnabled") == Some(true) {
        let message = "Resource cannot be deleted as it is currently protected against deletion. Disable deletion protection first.";
        return Err(validation(message));
    }
    settled(world, &name)?;
    let now = world.now;
    let table = world.dynamodb.tables.get_mut(&name).expect("just found");
    table.deleting = true;
    table.busy_until = now + DELETION;
    Ok(json!({"TableDescription": view(world, &name)}))
}

pub fn update(world: &mut World, input: &Json) -> Answer {
    let (name, _) = find(world, input)?;
    settled(world, &name)?;
    let now = world.now;
    let table = world.dynamodb.tables.get_mut(&name).expect("just found");
    for member in [
        "BillingMode",
        "ProvisionedThroughput",
        "StreamSpecification",
        "SSESpecification",
        "TableClass",
        "DeletionProtectionEnabled",
        "AttributeDefinitions",
    ] {
        if let Some(value) = input.get(member) {
            table.settings[member] = value.clone();
        }
    }
    if input.text("BillingMode") == Some("PAY_PER_REQUEST")
        && let Some(settings) = table.settings.as_object_mut()
    {
        settings.remove("ProvisionedThroughput");
    }
    for change in input.list("GlobalSecondaryIndexUpdates") {
        let mut indexes = table.settings.list("GlobalSecondaryIndexes").to_vec();
        if let Some(gone) = change.get("Delete").and_then(|one| one.text("IndexName")) {
            indexes.retain(|one| one.text("IndexName") != Some(gone));
        }
        indexes.extend(change.get("Create").cloned());
        table.settings["GlobalSecondaryIndexes"] = json!(indexes);
    }
    table.busy_until = now + CHANGE;
    Ok(json!({"TableDescription": view(world, &name)}))
}

pub fn describe_ttl(world: &mut World, input: &Json) -> Answer {
    let ttl = find(world, input)?.1.ttl.clone();
    let status = if ttl.is_some() { "ENABLED" } else { "DISABLED" };
    Ok(json!({"TimeToLiveDescription": json!({"TimeToLiveStatus": status}).with("AttributeName", ttl)}))
}

/// A switch: items stay until somebody deletes them, as they may in AWS for two days.
pub fn update_ttl(world: &mut World, input: &Json) -> Answer {
    let (_, table) = find(world, input)?;
    let given = input.get("TimeToLiveSpecification").cloned().unwrap_or_default();
    let on = given.flag("Enabled") == Some(true);
    if on == table.ttl.is_some() {
        let message = format!("TimeToLive is already {}", if on { "enabled" } else { "disabled" });
        return Err(validation(message));
    }
    table.ttl = given.text("AttributeName").filter(|_| on).map(str::to_owned);
    Ok(json!({"TimeToLiveSpecification": given}))
}

fn backups(table: &Table, now: Millis) -> Json {
    let mut recovery =
        json!({"PointInTimeRecoveryStatus": if table.backups { "ENABLED" } else { "DISABLED" }});
    if table.backups {
        recovery["EarliestRestorableDateTime"] = World::timestamp(table.created);
        recovery["LatestRestorableDateTime"] = World::timestamp(now);
        recovery["RecoveryPeriodInDays"] = json!(35);
    }
    json!({"ContinuousBackupsDescription": {
        "ContinuousBackupsStatus": "ENABLED", "PointInTimeRecoveryDescription": recovery,
    }})
}

pub fn describe_backups(world: &mut World, input: &Json) -> Answer {
    let now = world.now;
    Ok(backups(find(world, input)?.1, now))
}

pub fn update_backups(world: &mut World, input: &Json) -> Answer {
    let now = world.now;
    let given = input.get("PointInTimeRecoverySpecification");
    let on = given.and_then(|one| one.flag("PointInTimeRecoveryEnabled")) == Some(true);
    let (_, table) = find(world, input)?;
    table.backups = on;
    Ok(backups(table, now))
}

fn tags_at<'a>(world: &'a mut World, input: &Json) -> Result<&'a mut Tags, ApiError> {
    let arn = input.text("ResourceArn").unwrap_or_default();
    let found = world.dynamodb.tables.get_mut(name_of(arn)).map(|table| &mut table.tags);
    found.ok_or_else(|| {
        ApiError::new(
            "ResourceNotFoundException",
            format!("Requested resource not found: ResourceArn: {arn} not found"),
        )
    })
}

pub fn list_tags(world: &mut World, input: &Json) -> Answer {
    Ok(json!({"Tags": tag_list(tags_at(world, input)?)}))
}

pub fn tag(world: &mut World, input: &Json) -> Answer {
    tags_at(world, input)?.extend(tags(input.list("Tags")));
    Ok(json!({}))
}

pub fn untag(world: &mut World, input: &Json) -> Answer {
    let tags = tags_at(world, input)?;
    for key in input.texts("TagKeys") {
        tags.remove(key);
    }
    Ok(json!({}))
}
