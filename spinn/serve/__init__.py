"""A web page that shows trained models at work, and the HTTP interface behind it."""
