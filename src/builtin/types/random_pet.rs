//! `random_pet`: a name that people can tell apart and remember.

use super::keepers::KEEPERS;
use crate::aws::{AwsError, Job};
use crate::builtin::{BuiltinType, Context};
use crate::schema::{ID, Object, TypeSchema, attributes};
use async_trait::async_trait;
use rand::seq::IndexedRandom;

attributes! {
    TABLE [KEEPERS]:
    LENGTH: Int = optional("length").default_int(2).replaces().range(1, 1000).doc("Words");
    PREFIX: Str = optional("prefix").replaces();
    SEPARATOR: Str = optional("separator").default_str("-").replaces();
}

static SCHEMA: TypeSchema = TypeSchema {
    doc: "A name that people can tell apart and remember",
    example: r#"
resource "random_pet" "server" {
  length = 3
}
"#,
    ..TypeSchema::new("random_pet", &TABLE)
};

const ADVERBS: &str = "barely blindly boldly bravely briefly brightly calmly clearly coolly dearly deeply eagerly \
    early easily evenly fairly firmly freely freshly gently gladly greatly happily hardly highly justly keenly \
    kindly lately lightly loudly mildly mostly nearly neatly newly nicely nobly openly partly plainly poorly \
    promptly quickly quietly rarely readily really rightly sharply simply slowly smoothly softly solely soundly \
    strongly surely swiftly truly vastly warmly widely wisely";
const ADJECTIVES: &str = "able agile amber ample azure blue bold brave brief bright brisk broad bronze busy calm \
    clean clear clever cold cool coral crisp dapper daring deep eager early even fair fast fine firm fleet fresh \
    gentle glad golden good grand great green happy hardy honest humble jolly keen kind large light lively loyal \
    lucid lucky mellow merry mild modest neat nimble noble patient plain polite proud quick quiet rapid ready \
    rich ripe robust royal ruby sharp silent silver simple sincere smart smooth snowy solid steady still strong \
    sunny sure swift tall tame tender tidy tough true upright valid vast vivid warm wild wise witty young";
const NAMES: &str = "alpaca ant badger bat bear beaver bee beetle bison boar buck buffalo camel cat cheetah cobra \
    colt condor cow coyote crab crane cricket crow deer dingo dog dolphin donkey dove dragonfly duck eagle eel \
    egret elk emu ermine falcon ferret finch firefly flamingo fox frog gazelle gecko gibbon giraffe goat goose \
    gopher grouse gull hamster hare hawk hedgehog heron horse hound ibex ibis iguana impala jackal jaguar jay \
    kestrel kiwi koala ladybug lamb lark lemur leopard lion lizard llama lobster loon lynx macaw mackerel magpie \
    marlin marmot marten mole mongoose moose moth mouse mule newt octopus okapi orca oriole osprey otter owl ox \
    panda panther parrot pelican penguin perch pheasant pigeon pony puffin puma quail rabbit raccoon ram raven \
    robin salmon seal shark sheep shrew shrimp skink skunk sloth snail sparrow spider squid stag starling stoat \
    stork swan swift tapir tern thrush tiger toad trout tuna turkey turtle urchin viper vole wallaby walrus wasp \
    weasel whale wolf wombat wren yak zebra";

pub struct RandomPet;

#[async_trait(?Send)]
impl BuiltinType for RandomPet {
    fn schema(&self) -> &'static TypeSchema {
        &SCHEMA
    }

    async fn create(&self, cx: &Context, job: &Job<'_>) -> Result<Object, AwsError> {
        let mut random = cx.entropy.random(job.token)?;
        let length = job.want.get(&LENGTH).unwrap_or(2).max(1);
        // From the end: an animal, what it is like, and how much so.
        let words = (0..length).rev().map(|place| match place {
            0 => NAMES,
            1 => ADJECTIVES,
            _ => ADVERBS,
        });
        let mut parts: Vec<String> = Vec::from_iter(job.want.get(&PREFIX).filter(|p| !p.is_empty()));
        for list in words {
            let list: Vec<&str> = list.split_whitespace().collect();
            parts.extend(list.choose(&mut random).map(|word| (*word).to_owned()));
        }
        let separator = job.want.get(&SEPARATOR).unwrap_or_default();
        let mut object = job.want.clone();
        object.set(&ID, parts.join(&separator));
        Ok(object)
    }
}
