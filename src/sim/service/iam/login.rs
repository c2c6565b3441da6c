//! Passwords of users, as far as that there is one.

use super::*;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Password {
    pub(super) created: Millis,
    reset: bool,
}

fn no_profile(name: &str) -> ApiError {
    no_such_entity(format!("Login Profile for User {name} cannot be found."))
}

fn profile_json(name: &str, password: &Password) -> Json {
    json!({
        "UserName": name,
        "CreateDate": World::timestamp(password.created),
        "PasswordResetRequired": password.reset,
    })
}

pub fn create(world: &mut World, input: &Json) -> Answer {
    let now = world.now;
    let name = required(input, "UserName")?;
    let user = users::find_mut(world, name)?;
    if user.password.is_some() {
        return Err(already_exists(format!("Login Profile for user {name} already exists.")));
    }
    let password = Password { created: now, reset: input.flag("PasswordResetRequired").unwrap_or(false) };
    let answer = json!({ "LoginProfile": profile_json(name, &password) });
    user.password = Some(password);
    Ok(answer)
}

pub fn get(world: &mut World, input: &Json) -> Answer {
    let name = required(input, "UserName")?;
    let password = users::find(world, name)?.password.as_ref().ok_or_else(|| no_profile(name))?;
    Ok(json!({ "LoginProfile": profile_json(name, password) }))
}

pub fn update(world: &mut World, input: &Json) -> Answer {
    let name = required(input, "UserName")?;
    let user = users::find_mut(world, name)?;
    let password = user.password.as_mut().ok_or_else(|| no_profile(name))?;
    password.reset = input.flag("PasswordResetRequired").unwrap_or(password.reset);
    Ok(json!({}))
}

pub fn delete(world: &mut World, input: &Json) -> Answer {
    let name = required(input, "UserName")?;
    let gone = users::find_mut(world, name)?.password.take();
    gone.map(|_| json!({})).ok_or_else(|| no_profile(name))
}
