"""The store on PostgreSQL: frames and views in one database, written in one transaction per frame."""
