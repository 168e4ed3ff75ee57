<?php
/**
 * Does what the contract says of the PHP client of the Nextcloud app, with libcurl and without a time limit, and prints
 * what it got as one JSON object.
 *
 * php client.php URL KEY LARGE PICTURE...
 *
 * LARGE is a picture over the maximum area; the pictures may have the same base name.
 */
declare(strict_types=1);

function handle(string $url, array $headers, ?array $form = null): CurlHandle
{
    $curl = curl_init($url);
    curl_setopt($curl, CURLOPT_RETURNTRANSFER, true);
    curl_setopt($curl, CURLOPT_HTTPHEADER, $headers);
    if ($form !== null) {
        curl_setopt($curl, CURLOPT_POST, true);
        curl_setopt($curl, CURLOPT_POSTFIELDS, $form);
    }
    return $curl;
}

function answer(CurlHandle $curl, $body): array
{
    return [
        'status' => curl_getinfo($curl, CURLINFO_RESPONSE_CODE),
        'error' => curl_error($curl),
        'document' => is_string($body) ? (json_decode($body, true) ?? $body) : null,
    ];
}

function send(string $url, array $headers, ?array $form = null): array
{
    $curl = handle($url, $headers, $form);
    return answer($curl, curl_exec($curl));
}

function picture(string $path, string $type): array
{
    return ['file' => new CURLFile($path, $type, basename($path))];
}

function send_together(string $url, array $headers, array $forms): array
{
    $multi = curl_multi_init();
    $handles = array_map(fn ($form) => handle($url, $headers, $form), $forms);
    foreach ($handles as $curl) {
        curl_multi_add_handle($multi, $curl);
    }
    do {
        $status = curl_multi_exec($multi, $running);
        if ($running) {
            curl_multi_select($multi);
        }
    } while ($running && $status === CURLM_OK);
    return array_map(fn ($curl) => answer($curl, curl_multi_getcontent($curl)), $handles);
}

[, $url, $key, $large] = $argv;
$pictures = array_slice($argv, 4);
$headers = ['x-api-key: ' . $key];

$got = [
    'welcome' => send("$url/welcome", []),
    'health' => send("$url/health", []),
    'open' => send("$url/open", $headers),
    'open_without_key' => send("$url/open", []),
    'open_with_wrong_key' => send("$url/open", ['x-api-key: wrong']),
];
$type = $got['open']['document']['preferred_mimetype'];
$got['detect_with_wrong_key'] = send("$url/detect", ['x-api-key: wrong'], picture($pictures[0], $type));
$got['detect_large'] = send("$url/detect", $headers, picture($large, $type));
$got['detect_no_picture'] = send("$url/detect", $headers, picture(__FILE__, $type));
$got['detect'] = array_map(fn ($path) => send("$url/detect", $headers, picture($path, $type)), $pictures);
$got['compute'] = [];
foreach ($got['detect'][0]['document']['faces'] as $face) {
    // As the app does: it knows the box and the confidence, and asks for the rest.
    $known = array_intersect_key($face, array_flip(['left', 'top', 'right', 'bottom', 'detection_confidence']));
    $form = picture($pictures[0], $type) + ['face' => json_encode($known)];
    $got['compute'][] = send("$url/compute", $headers, $form);
}
$got['compute_large'] = send("$url/compute", $headers, picture($large, $type) + ['face' => json_encode($known)]);
$got['together'] = send_together("$url/detect", $headers, array_map(fn ($path) => picture($path, $type), $pictures));

echo json_encode($got, JSON_THROW_ON_ERROR), "\n";
