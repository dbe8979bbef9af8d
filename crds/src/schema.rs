//! What the CRDs need beyond what is derived: validation rules, free-form objects, and the list to install.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use kube::CustomResourceExt as _;
use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use crate::{
    ClusterDatabaseGrant, ClusterDatabaseInstance, ClusterDatabaseRole, Database, DatabaseGrant, DatabaseInstance,
    DatabaseReferenceGrant, DatabaseRole, DatabaseUser,
};

/// The CRDs to install, always in the same order.
///
/// They differ from what the derives give in three ways. Nothing has a title, which would repeat the kind.
/// Nothing is nullable: as everywhere in Kubernetes a `null` is as good as an absent field,
/// so the API server drops it and applies the default.
/// And integers have the formats Kubernetes knows, with their limits spelled out,
/// so that no number can be stored that the types could not read back.
pub fn all_crds() -> Vec<CustomResourceDefinition> {
    let mut crds = vec![
        DatabaseInstance::crd(),
        ClusterDatabaseInstance::crd(),
        Database::crd(),
        DatabaseUser::crd(),
        DatabaseRole::crd(),
        ClusterDatabaseRole::crd(),
        DatabaseGrant::crd(),
        ClusterDatabaseGrant::crd(),
        DatabaseReferenceGrant::crd(),
    ];
    let schemas = crds
        .iter_mut()
        .flat_map(|crd| &mut crd.spec.versions)
        .filter_map(|version| version.schema.as_mut()?.open_api_v3_schema.as_mut());
    for schema in schemas {
        settle(schema);
    }
    crds
}

/// One CEL validation rule.
pub(crate) fn rule(expression: &str, message: &str) -> Value {
    json!({"rule": expression, "message": message})
}

/// The rules for a resource that names its instance in one of two ways.
pub(crate) fn one_instance_reference() -> Value {
    json!([
        rule(
            "has(self.instanceRef) || has(self.clusterInstanceRef)",
            "either instanceRef or clusterInstanceRef must be specified",
        ),
        rule(
            "!(has(self.instanceRef) && has(self.clusterInstanceRef))",
            "instanceRef and clusterInstanceRef are mutually exclusive",
        ),
    ])
}

/// An object whose fields only an adapter knows.
pub(crate) fn any_object(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "object", "x-kubernetes-preserve-unknown-fields": true})
}

fn settle(schema: &mut JSONSchemaProps) {
    schema.nullable = None;
    schema.title = None;
    if let Some(values) = &mut schema.enum_ {
        values.retain(|value| !value.0.is_null());
    }
    if matches!(schema.format.as_deref(), Some("uint8" | "uint16" | "uint32")) {
        schema.format = Some("int32".to_owned());
    }
    if schema.format.as_deref() == Some("int32") {
        schema.minimum.get_or_insert(f64::from(i32::MIN));
        schema.maximum.get_or_insert(f64::from(i32::MAX));
    }
    for property in schema.properties.iter_mut().flat_map(|properties| properties.values_mut()) {
        settle(property);
    }
    match &mut schema.items {
        Some(JSONSchemaPropsOrArray::Schema(item)) => settle(item),
        Some(JSONSchemaPropsOrArray::Schemas(items)) => items.iter_mut().for_each(settle),
        None => {}
    }
    match &mut schema.additional_properties {
        Some(JSONSchemaPropsOrBool::Schema(value)) => settle(value),
        Some(JSONSchemaPropsOrBool::Bool(_)) | None => {}
    }
}
