# One image for every service: `docker run homeward ingest`, `… clock`, `… dashboard`, `… notify`, `… up`.
FROM python:3.12-slim-bookworm
RUN useradd --system --create-home --home-dir /var/lib/homeward homeward
WORKDIR /opt/homeward
COPY requirements.lock .
RUN pip install --no-cache-dir --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY schemas schemas
COPY alerts alerts
COPY device_sim device_sim
COPY ingest ingest
COPY dashboard dashboard
COPY homeward homeward
RUN pip install --no-cache-dir --no-deps --no-build-isolation --no-index .
USER homeward
ENV HOMEWARD_HOME=/var/lib/homeward PYTHONUNBUFFERED=1
VOLUME /var/lib/homeward
EXPOSE 8080
ENTRYPOINT ["homeward"]
CMD ["--help"]
