//! Tables in CSV and Parquet.
