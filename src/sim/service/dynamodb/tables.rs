//! Tables.

use super::keys::Schema;
use super::*;
use crate::service::page;

pub const CREATION: Millis = 6 * SECOND;
const DELETION: Millis = 4 * SECOND;
const CHANGE: Millis = 4 * SECOND;
const INDEXES: [&str; 2] = ["GlobalSecondaryIndexes", "LocalSecondaryIndexes"];

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
    let size: usize = table.items.values().map(values::size).sum();
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
        "WarmThroughput": warm(&table.settings, on_demand),
    });
    // A table that never was on demand has no summary.
    if on_demand || table.settings.get("BillingModeChanged").is_some() {
        let mode = if on_demand { "PAY_PER_REQUEST" } else { "PROVISIONED" };
        view["BillingModeSummary"] = json!({"BillingMode": mode});
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
    for kind in INDEXES {
        let indexes: Vec<Json> =
            table.settings.list(kind).iter().map(|one| index(world, name, kind, one, on_demand)).collect();
        if !indexes.is_empty() {
            view[kind] = json!(indexes);
        }
    }
    view
}

fn index(world: &World, table: &str, kind: &str, given: &Json, on_demand: bool) -> Json {
    let name = given.text("IndexName").unwrap_or_default();
    let of = Schema::of(given.list("KeySchema"));
    let items: Vec<usize> = {
        let all = world.dynamodb.tables[table].items.values();
        all.filter(|item| of.covers(item)).map(values::size).collect()
    };
    let mut view = json!({
        "IndexName": name, "KeySchema": given["KeySchema"], "Projection": given["Projection"],
        "IndexArn": format!("{}/index/{name}", arn(world, table)),
        "IndexSizeBytes": items.iter().sum::<usize>(), "ItemCount": items.len(),
    });
    if kind.starts_with("Global") {
        let throughput = given.get("ProvisionedThroughput");
        let units = |name: &str| throughput.and_then(|one| one.int(name)).unwrap_or(0);
        view["IndexStatus"] = json!("ACTIVE");
        view["WarmThroughput"] = warm(given, on_demand);
        view["ProvisionedThroughput"] = json!({
            "NumberOfDecreasesToday": 0, "ReadCapacityUnits": units("ReadCapacityUnits"),
            "WriteCapacityUnits": units("WriteCapacityUnits"),
        });
    }
    view
}

fn wrong(why: impl std::fmt::Display) -> ApiError {
    validation(format!("One or more parameter values were invalid: {why}"))
}

/// Names as messages list them.
fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: std::collections::BTreeSet<&str> = names.into_iter().collect();
    format!("[{}]", names.into_iter().collect::<Vec<_>>().join(", "))
}

fn attributes(list: &[Json]) -> impl Iterator<Item = &str> {
    list.iter().filter_map(|one| one.text("AttributeName"))
}

fn check_keys(input: &Json) -> Result<(), ApiError> {
    let defined: Vec<&str> = attributes(input.list("AttributeDefinitions")).collect();
    let schema = input.list("KeySchema");
    if schema.is_empty() {
        return Err(validation("No provided KeySchema"));
    }
    if schema[0].text("KeyType") != Some("HASH") {
        return Err(validation("Invalid KeySchema: The first KeySchemaElement is not a HASH key type"));
    }
    if schema.get(1).is_some_and(|one| one.text("KeyType") != Some("RANGE")) {
        return Err(validation("Invalid KeySchema: The second KeySchemaElement is not a RANGE key type"));
    }
    if schema.len() > 2 {
        let shown: Vec<String> = schema
            .iter()
            .map(|one| {
                let of = |member| one.text(member).unwrap_or_default();
                format!("KeySchemaElement(attributeName={}, keyType={})", of("AttributeName"), of("KeyType"))
            })
            .collect();
        return Err(validation(format!(
            "{}Value '[{}]' at 'keySchema' failed to satisfy constraint: Member must have length less than or equal \
             to 2",
            values::DETECTED,
            shown.join(", ")
        )));
    }
    if schema.len() > defined.len() {
        return Err(validation("Invalid KeySchema: Some index key attribute have no definition"));
    }
    let indexes: Vec<&Json> = INDEXES.iter().flat_map(|kind| input.list(kind)).collect();
    let schemas = [schema].into_iter().chain(indexes.iter().map(|one| one.list("KeySchema")));
    let mut used = Vec::new();
    for schema in schemas {
        let keys: Vec<&str> = attributes(schema).collect();
        if keys.iter().any(|name| !defined.contains(name)) {
            let (keys, defined) = (listed(keys), listed(defined));
            return Err(wrong(format!(
                "Some index key attributes are not defined in AttributeDefinitions. Keys: {keys}, \
                 AttributeDefinitions: {defined}"
            )));
        }
        used.extend(keys);
    }
    if defined.iter().all(|name| used.contains(name)) {
        return Ok(());
    }
    Err(match indexes.is_empty() {
        true => wrong(
            "Number of attributes in KeySchema does not exactly match number of attributes defined in \
             AttributeDefinitions",
        ),
        false => wrong(format!(
            "Some AttributeDefinitions are not used. AttributeDefinitions: {}, keys used: {}",
            listed(defined),
            listed(used)
        )),
    })
}

fn check_indexes(input: &Json) -> Result<(), ApiError> {
    let mut names = Vec::new();
    for kind in INDEXES {
        if input.get(kind).is_some() && input.list(kind).is_empty() {
            return Err(wrong(format!("List of {kind} is empty")));
        }
        for index in input.list(kind) {
            let name = index.text("IndexName").unwrap_or_default();
            if names.contains(&name) {
                return Err(wrong(format!("Duplicate index name: {name}")));
            }
            names.push(name);
        }
    }
    if !input.list("LocalSecondaryIndexes").is_empty() && input.list("KeySchema").len() < 2 {
        return Err(wrong(
            "Table KeySchema does not have a range key, which is required when specifying a LocalSecondaryIndex",
        ));
    }
    Ok(())
}

/// What a table on demand, or an index of one, can do at once from its first day.
const WARM: [(&str, i64); 2] = [("ReadUnitsPerSecond", 12_000), ("WriteUnitsPerSecond", 4_000)];

fn check_warm(input: &Json) -> Result<(), ApiError> {
    if input.text("BillingMode") != Some("PAY_PER_REQUEST") {
        return Ok(());
    }
    let indexes = input.list("GlobalSecondaryIndexes").iter();
    let indexes = indexes.map(|one| (format!("index {}", one.text("IndexName").unwrap_or_default()), one));
    for (of, given) in [("table".to_owned(), input)].into_iter().chain(indexes) {
        for (name, least) in WARM {
            if given.get("WarmThroughput").and_then(|one| one.int(name)).is_some_and(|asked| asked < least) {
                return Err(wrong(format!(
                    "Requested {name} for WarmThroughput for {of} is lower than initial throughput for OnDemand"
                )));
            }
        }
    }
    Ok(())
}

fn warm(given: &Json, on_demand: bool) -> Json {
    let asked = given.get("WarmThroughput");
    let provisioned = |name: &str| given.get("ProvisionedThroughput").and_then(|one| one.int(name));
    let mut shown = json!({"Status": "ACTIVE"});
    for ((name, usual), units) in WARM.into_iter().zip(["ReadCapacityUnits", "WriteCapacityUnits"]) {
        let usual = if on_demand { usual } else { provisioned(units).unwrap_or(usual) };
        shown[name] = json!(asked.and_then(|one| one.int(name)).unwrap_or(usual));
    }
    shown
}

fn check(input: &Json) -> Result<(), ApiError> {
    check_indexes(input)?;
    check_keys(input)?;
    let on_demand = input.text("BillingMode") == Some("PAY_PER_REQUEST");
    match (on_demand, input.get("ProvisionedThroughput")) {
        (true, Some(_)) => Err(wrong(
            "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST",
        )),
        (false, None) => Err(wrong(
            "ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED",
        )),
        _ => check_warm(input),
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
        recovery: None,
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
        let what = match () {
            () if table.deleting => "deleted",
            () if world.now < table.created + CREATION => "created",
            () => "updated",
        };
        let message =
            format!("Attempt to change a resource which is still in use: Table is being {what}: {name}");
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
    let mut after = table.settings.clone();
    for member in [
        "BillingMode",
        "ProvisionedThroughput",
        "StreamSpecification",
        "SSESpecification",
        "TableClass",
        "DeletionProtectionEnabled",
        "AttributeDefinitions",
        "WarmThroughput",
    ] {
        if let Some(value) = input.get(member) {
            after[member] = value.clone();
        }
    }
    if input.text("BillingMode").is_some_and(|mode| table.settings.text("BillingMode") != Some(mode)) {
        after["BillingModeChanged"] = json!(true);
    }
    if input.text("BillingMode") == Some("PAY_PER_REQUEST")
        && let Some(settings) = after.as_object_mut()
    {
        settings.remove("ProvisionedThroughput");
    }
    for change in input.list("GlobalSecondaryIndexUpdates") {
        change_indexes(&mut after, change)?;
    }
    check_warm(&after)?;
    table.settings = after;
    table.busy_until = now + CHANGE;
    Ok(json!({"TableDescription": view(world, &name)}))
}

fn change_indexes(settings: &mut Json, change: &Json) -> Result<(), ApiError> {
    let mut indexes = settings.list("GlobalSecondaryIndexes").to_vec();
    let at = |indexes: &[Json], given: &Json| {
        let name = given.text("IndexName").unwrap_or_default();
        let found = indexes.iter().position(|one| one.text("IndexName") == Some(name));
        found.ok_or_else(|| {
            let message = format!("Requested resource not found: Index: {name} not found");
            ApiError::new("ResourceNotFoundException", message)
        })
    };
    if let Some(given) = change.get("Delete") {
        indexes.remove(at(&indexes, given)?);
    }
    if let Some(given) = change.get("Update") {
        let index = at(&indexes, given)?;
        for member in ["ProvisionedThroughput", "WarmThroughput"] {
            if let Some(value) = given.get(member) {
                indexes[index][member] = value.clone();
            }
        }
    }
    if let Some(given) = change.get("Create") {
        let name = given.text("IndexName").unwrap_or_default();
        if at(&indexes, given).is_ok() {
            return Err(wrong(format!("Duplicate index name: {name}")));
        }
        let defined: Vec<&str> = attributes(settings.list("AttributeDefinitions")).collect();
        let keys: Vec<&str> = attributes(given.list("KeySchema")).collect();
        if keys.iter().any(|name| !defined.contains(name)) {
            let (keys, defined) = (listed(keys), listed(defined));
            return Err(wrong(format!(
                "Some index key attributes are not defined in AttributeDefinitions. Keys: {keys}, \
                 AttributeDefinitions: {defined}"
            )));
        }
        indexes.push(given.clone());
    }
    settings["GlobalSecondaryIndexes"] = json!(indexes);
    Ok(())
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

/// `LatestRestorableDateTime` is so much before now (API reference).
const UNTIL_RESTORABLE: Millis = 300 * SECOND;

fn backups(table: &Table, now: Millis) -> Json {
    let on = table.recovery.is_some();
    let mut recovery = json!({"PointInTimeRecoveryStatus": if on { "ENABLED" } else { "DISABLED" }});
    if let Some(Recovery { since, days }) = table.recovery {
        let since = since.max(table.created);
        recovery["EarliestRestorableDateTime"] = World::timestamp(since);
        recovery["LatestRestorableDateTime"] = World::timestamp(since.max(now - UNTIL_RESTORABLE));
        recovery["RecoveryPeriodInDays"] = json!(days);
    }
    json!({"ContinuousBackupsDescription": {
        "ContinuousBackupsStatus": "ENABLED", "PointInTimeRecoveryDescription": recovery,
    }})
}

/// Of continuous backups alone a table that there is not has an exception of its own.
fn find_backups<'a>(world: &'a mut World, input: &Json) -> Result<&'a mut Table, ApiError> {
    let name = name_of(input.text("TableName").unwrap_or_default()).to_owned();
    let missing = |_| ApiError::new("TableNotFoundException", format!("Table not found: {name}"));
    find(world, input).map(|(_, table)| table).map_err(missing)
}

pub fn describe_backups(world: &mut World, input: &Json) -> Answer {
    let now = world.now;
    Ok(backups(find_backups(world, input)?, now))
}

pub fn update_backups(world: &mut World, input: &Json) -> Answer {
    let now = world.now;
    let given = input.get("PointInTimeRecoverySpecification").cloned().unwrap_or_default();
    let table = find_backups(world, input)?;
    let days = given.int("RecoveryPeriodInDays").unwrap_or(35);
    let since = table.recovery.as_ref().map_or(now, |before| before.since);
    let on = given.flag("PointInTimeRecoveryEnabled") == Some(true);
    table.recovery = on.then_some(Recovery { since, days });
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

/// Ten a page (API reference, ListTagsOfResource).
pub fn list_tags(world: &mut World, input: &Json) -> Answer {
    let all = tag_list(tags_at(world, input)?);
    let (tags, next) = page(all.as_array().cloned().unwrap_or_default(), input.text("NextToken"), 10);
    Ok(json!({"Tags": tags}).with("NextToken", next))
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
