"""The page of the library: what it holds, work on it, and what is wrong, in Streamlit's own widgets."""
