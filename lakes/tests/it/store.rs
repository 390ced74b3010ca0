//! An object store: requests go out together, and one that fails costs its own table only.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use async_trait::async_trait;
use bytes::Bytes;
use datafusion::prelude::SessionContext;
use futures::stream::BoxStream;
use limpid_lakes::discover;
use limpid_lakes::lake::discover::list_files;
use limpid_lakes::options::{Layout, Names, Options, Rows};
use limpid_lakes::pipeline;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use parquet::arrow::ArrowWriter;

use crate::{pairs, roomy};

/// A store whose answers take time, that counts requests, refuses one path and lets another change once it was read.
#[derive(Debug, Default)]
struct Distant {
    inner: InMemory,
    flying: AtomicUsize,
    most: AtomicUsize,
    requests: AtomicUsize,
    refuses: Option<&'static str>,
    changes: Option<(&'static str, Bytes)>,
}

impl fmt::Display for Distant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Distant")
    }
}

impl Distant {
    async fn trip(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let flying = self.flying.fetch_add(1, Ordering::Relaxed) + 1;
        self.most.fetch_max(flying, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(20)).await;
        self.flying.fetch_sub(1, Ordering::Relaxed);
    }

    fn counted(&self) -> (usize, usize) {
        (self.requests.swap(0, Ordering::Relaxed), self.most.swap(0, Ordering::Relaxed))
    }
}

#[async_trait]
impl ObjectStore for Distant {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.inner.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(&self, path: &Path, options: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(path, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.trip().await;
        if self.refuses.is_some_and(|refused| location.as_ref().ends_with(refused)) && !options.head {
            return Err(object_store::Error::PermissionDenied {
                path: location.to_string(),
                source: "this one is not for you".into(),
            });
        }
        self.inner.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.trip().await;
        let read = self.inner.get_ranges(location, ranges).await;
        if let Some((path, bytes)) = &self.changes
            && location.as_ref().ends_with(path)
        {
            self.inner.put(location, bytes.clone().into()).await?;
        }
        read
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

fn table(ids: Range<i64>) -> Bytes {
    let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(ids));
    let squares: ArrayRef = Arc::new(Int64Array::from_iter_values(0..ids.len() as i64));
    let batch = RecordBatch::try_from_iter([("id", ids), ("square", squares)]).unwrap();
    let mut writer = ArrowWriter::try_new(vec![], batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.into_inner().unwrap().into()
}

async fn put(store: &Distant, path: &str, ids: Range<i64>) {
    store.inner.put(&Path::from(path), table(ids).into()).await.unwrap();
}

fn session(store: &Arc<Distant>) -> SessionContext {
    let ctx = SessionContext::new();
    ctx.register_object_store(&"s3://far".parse().unwrap(), Arc::clone(store) as Arc<dyn ObjectStore>);
    ctx
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_do_not_wait_for_each_other() {
    let store = Arc::new(Distant::default());
    for number in 0..150 {
        put(&store, &format!("lake/t{number:03}.parquet"), 0..10 + number).await;
    }
    for part in 0..40 {
        put(&store, &format!("lake/parts/part-{part:04}.parquet"), part..part + 1).await;
    }
    let ctx = session(&store);
    let listed = list_files(&ctx.state(), "s3://far/lake").await.unwrap();
    store.counted();
    let lake = discover(listed.clone(), Layout::Auto, Names::Fold).await.unwrap();
    assert_eq!((lake.tables.len(), lake.problems.len()), (151, 0));
    let (requests, most) = store.counted();
    println!("{requests} requests for 190 footers, {most} at the same time");
    // One request a footer.
    assert!(requests == 190 && most >= 48, "{requests} {most}");
    let options = Options { rows: Rows::Set, ..Options::default() };
    let outcome = pipeline::run(listed, &options, &roomy(), 2).await.unwrap();
    let (requests, most) = store.counted();
    println!("{requests} requests to compare, {most} at the same time, {} pairs", outcome.found.len());
    // Footers, columns and whether each file is still the same.
    assert!(requests <= 190 * 6 && most >= 32, "{requests} {most}");
    assert_eq!(outcome.found.len(), 150 * 149 / 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_refused_is_named_and_left_out() {
    let store = Arc::new(Distant { refuses: Some("secret.parquet"), ..Distant::default() });
    for (path, ids) in [("lake/all.parquet", 0..50), ("lake/some.parquet", 0..20), ("lake/secret.parquet", 0..30)] {
        put(&store, path, ids).await;
    }
    let ctx = session(&store);
    let listed = list_files(&ctx.state(), "s3://far/lake").await.unwrap();
    let outcome = pipeline::run(listed, &Options::default(), &roomy(), 2).await.unwrap();
    assert_eq!(pairs(&outcome), [("some".to_owned(), "all".to_owned())].into());
    let problem = &outcome.problems[..];
    assert!(problem.len() == 1 && problem[0].table == "secret.parquet", "{problem:?}");
    assert!(problem[0].reason.contains("not for you"), "{problem:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_changes_while_it_is_read_is_named_and_left_out() {
    // As many bytes as before: only time and tag tell.
    let store = Arc::new(Distant { changes: Some(("some.parquet", table(1..21))), ..Distant::default() });
    for (path, ids) in [("lake/all.parquet", 0..50), ("lake/some.parquet", 0..20), ("lake/few.parquet", 0..5)] {
        put(&store, path, ids).await;
    }
    let ctx = session(&store);
    let listed = list_files(&ctx.state(), "s3://far/lake").await.unwrap();
    let outcome = pipeline::run(listed, &Options::default(), &roomy(), 2).await.unwrap();
    assert_eq!(pairs(&outcome), [("few".to_owned(), "all".to_owned())].into());
    let problem = &outcome.problems[..];
    assert!(problem.len() == 1 && problem[0].table == "some.parquet", "{problem:?}");
    assert!(problem[0].reason.contains("some.parquet was changed while it was read"), "{problem:?}");
}
