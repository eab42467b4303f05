"""The view: what a store holds, as the records that the page, the report and programs read."""
