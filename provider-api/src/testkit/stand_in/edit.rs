//! Alterations of a JSON response.

use serde_json::Value;

use super::Answer;

/// Replaces all strings with empty ones.
pub(super) fn blank(answer: &Answer) -> Answer {
    edit_json(answer, &mut |value| {
        if value.is_string() {
            *value = Value::from("");
        }
    })
}

/// Replaces all numbers with the largest one that JSON parsers accept.
pub(super) fn with_huge_numbers(answer: &Answer) -> Answer {
    edit_json(answer, &mut |value| {
        if value.is_number() {
            *value = Value::from(u64::MAX);
        }
    })
}

/// Adds an unknown field to every object.
pub(super) fn with_more_fields(answer: &Answer) -> Answer {
    edit_json(answer, &mut |value| {
        if let Some(object) = value.as_object_mut() {
            object.insert("kit_new_field".to_owned(), serde_json::json!({ "of": ["a", "later", 1, null] }));
        }
    })
}

fn edit_json(answer: &Answer, edit: &mut dyn FnMut(&mut Value)) -> Answer {
    match serde_json::from_slice::<Value>(&answer.body) {
        Ok(mut body) => {
            visit(&mut body, edit);
            Answer { body: body.to_string().into(), ..answer.clone() }
        }
        Err(_) => answer.clone(),
    }
}

fn visit(value: &mut Value, edit: &mut dyn FnMut(&mut Value)) {
    match value {
        Value::Array(all) => all.iter_mut().for_each(|inner| visit(inner, edit)),
        Value::Object(all) => all.values_mut().for_each(|inner| visit(inner, edit)),
        _ => {}
    }
    edit(value);
}
